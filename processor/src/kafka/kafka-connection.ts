import { readFileSync } from 'node:fs'
import {
  type Admin,
  type Consumer,
  type ConsumerConfig,
  Kafka,
  type KafkaConfig,
  type LogEntry,
  logLevel,
  Partitioners,
  type Producer,
  type ProducerConfig,
  type SASLOptions,
} from 'kafkajs'
import type { Logger } from 'pino'
import { answerWithin } from './answer-within.ts'
import { useGzipCodec } from './gzip-codec.ts'
import { kafkaError } from './kafka-error.ts'
import { letRequestQueuesRest } from './resting-request-queue.ts'

/** How to reach a cluster. */
export interface KafkaOptions {
  /** `host:port`; one that answers is enough. */
  brokers: readonly string[]
  /** Names this process in the brokers' logs and quotas. Default `headwater`. */
  clientId?: string
  /** `true`: TLS with Node's roots. Files are PEM. `servername`: the name in the certificate, when it is not the host. */
  ssl?: boolean | { caFile?: string; certFile?: string; keyFile?: string; servername?: string }
  sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
  /** Default 3 000. */
  connectionTimeoutMs?: number
  /** Default 10 000. */
  requestTimeoutMs?: number
}

/** The same entry of the client's log is shown once in so long. */
const QUIET_MS = 30_000
/** Together some 5 s: long enough for an election, short enough for the caller to try in its own way. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_500, retries: 6 }
/**
 * A consumer waits some 90 s for brokers that are away: it keeps its member id by that. One that gives up cannot say so to
 * a coordinator that is away, and its successor then waits until the session of the one before is over.
 */
const CONSUMER_RETRY = { initialRetryTime: 100, maxRetryTime: 1_500, retries: 60 }

/**
 * One cluster, as this process knows it: makes clients with the same settings, and holds the one admin client, which
 * connects when it is first needed.
 */
export class KafkaConnection {
  readonly requestTimeoutMs: number
  /** A call that takes so long will not be answered any more: its own attempts take less. */
  readonly callTimeoutMs: number
  readonly brokers: readonly string[]
  readonly #kafka: Kafka
  readonly #patient: Kafka
  #admin: Promise<Admin> | undefined

  constructor(options: KafkaOptions, log: Logger) {
    const { ssl, sasl } = options
    this.requestTimeoutMs = options.requestTimeoutMs ?? 10_000
    this.callTimeoutMs = 6 * this.requestTimeoutMs
    this.brokers = options.brokers
    const config: KafkaConfig = {
      brokers: [...options.brokers],
      clientId: options.clientId ?? 'headwater',
      connectionTimeout: options.connectionTimeoutMs ?? 3_000,
      authenticationTimeout: this.requestTimeoutMs,
      requestTimeout: this.requestTimeoutMs,
      enforceRequestTimeout: true,
      retry: RETRY,
      logLevel: logLevel.WARN,
      logCreator: () => logTo(log),
      ...(ssl !== undefined && { ssl: typeof ssl === 'boolean' ? ssl : tlsOptions(ssl) }),
      ...(sasl !== undefined && { sasl: sasl as SASLOptions }),
    }
    useGzipCodec()
    letRequestQueuesRest()
    this.#kafka = new Kafka(config)
    this.#patient = new Kafka({ ...config, retry: CONSUMER_RETRY })
  }

  /** Ask the admin client for something first: it says much earlier that there is no way to the brokers. */
  consumer(config: ConsumerConfig): Consumer {
    // A crash ends the consumer: whoever made it makes another one, so that there is one way back and not two.
    const retry = { ...CONSUMER_RETRY, restartOnFailure: () => Promise.resolve(false) }
    return this.#patient.consumer({ allowAutoTopicCreation: false, retry, ...config })
  }

  producer(config: ProducerConfig): Producer {
    // Named, or kafkajs writes a warning about its change of default. We always name the partition ourselves.
    const createPartitioner = Partitioners.DefaultPartitioner
    return this.#kafka.producer({ allowAutoTopicCreation: false, createPartitioner, ...config })
  }

  /** Calls `use` with a connected admin client. Rejects with a `ProcessorError`; `doing` is the sentence's beginning. */
  async admin<T>(doing: string, use: (admin: Admin) => Promise<T>): Promise<T> {
    this.#admin ??= this.#connectAdmin()
    const admin = this.#admin
    try {
      return await answerWithin(this.callTimeoutMs, admin.then(use))
    } catch (cause) {
      const error = kafkaError(cause, doing)
      // It may hold on to a broker that is gone: the next call begins with a new one.
      if (error.code === 'KAFKA_UNAVAILABLE' && this.#admin === admin) {
        this.#admin = undefined
        admin.then(it => it.disconnect()).catch(() => {})
      }
      throw error
    }
  }

  async #connectAdmin(): Promise<Admin> {
    const admin = this.#kafka.admin()
    try {
      await admin.connect()
      return admin
    } catch (error) {
      // A login that was refused may be corrected on the brokers' side.
      this.#admin = undefined
      admin.disconnect().catch(() => {})
      throw error
    }
  }

  /** Ends the admin client. Consumers and producers are ended by those who asked for them. */
  async close(): Promise<void> {
    const admin = this.#admin
    this.#admin = undefined
    await admin?.then(it => it.disconnect()).catch(() => {})
  }
}

function tlsOptions(ssl: Exclude<KafkaOptions['ssl'], boolean | undefined>): Record<string, string> {
  return {
    ...(ssl.caFile !== undefined && { ca: readFileSync(ssl.caFile, 'utf8') }),
    ...(ssl.certFile !== undefined && { cert: readFileSync(ssl.certFile, 'utf8') }),
    ...(ssl.keyFile !== undefined && { key: readFileSync(ssl.keyFile, 'utf8') }),
    ...(ssl.servername !== undefined && { servername: ssl.servername }),
  }
}

/**
 * What kafkajs calls an error is mostly repaired by its next attempt, so it is a warning here; what it calls a warning is
 * detail. Fields are chosen one by one: nothing of an entry is passed on unseen.
 */
function logTo(log: Logger): (entry: LogEntry) => void {
  const shown = new Map<string, number>()
  return ({ namespace, level, log: entry }) => {
    const { message, broker, groupId, topic, partition, error } = entry as LogEntry['log'] & Record<string, unknown>
    const fields = { client: namespace, message, broker, groupId, topic, partition, error: String(error ?? '') }
    const key = `${namespace} ${message}`
    const isNew = Date.now() - (shown.get(key) ?? Number.NEGATIVE_INFINITY) >= QUIET_MS
    if (shown.size > 200) shown.clear()
    if (level <= logLevel.ERROR && isNew) {
      shown.set(key, Date.now())
      log.warn(fields, 'The Kafka client met a fault')
    } else log.debug(fields, 'The Kafka client met a fault')
  }
}
