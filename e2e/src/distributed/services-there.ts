import {
  chromiumPath,
  findFluentd,
  findHdfs,
  findKafka,
  findMariadb,
  findNginx,
  findRedis,
  serviceOrSkip,
} from '@headwater/testkit'

const FURTHER = { Fluentd: findFluentd, NGINX: findNginx, Chromium: chromiumPath }

/** Whether the services of the distributed mode are there, and these; each that is missing is named. */
export function servicesThere(...further: readonly (keyof typeof FURTHER)[]): boolean {
  return [
    serviceOrSkip('Kafka', findKafka()),
    serviceOrSkip('Redis', findRedis()),
    serviceOrSkip('MariaDB', findMariadb()),
    serviceOrSkip('HDFS', findHdfs()),
    ...further.map(name => serviceOrSkip(name, FURTHER[name]())),
  ].every(Boolean)
}
