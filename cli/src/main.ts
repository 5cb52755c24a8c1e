import { Command, CommanderError, Option } from 'commander'
import { endWithOutput } from './answer-output.ts'
import type { DemoCommandOptions } from './commands/demo.ts'
import type { ReplayCommandOptions } from './commands/replay.ts'
import type { ShipOptions } from './commands/ship.ts'
import type { ForgetCommandOptions } from './forget-report.ts'
import { type LoadedConfig, loadConfig } from './load-config.ts'
import { durationOption, secondsOption, timeOption, wholeNumberOption } from './option-values.ts'
import { version } from './version.ts'

// The table of contents of the command line. A command gets the checked configuration and its own options. Each is loaded when it
// is called: DuckDB, Kafka's and MariaDB's clients are not for `headwater --version` to wait for.

interface CommonOptions {
  config?: string
  dataDir?: string
  set: Record<string, string>
}

/** What runs until it is stopped goes on when nobody reads what it prints; `demo` sends to the end. */
const SERVERS = new Set(['start', 'gateway', 'ship', 'worker', 'demo'])

const program = new Command('headwater')
  .description('Self-hosted clickstream analytics: one script tag, every click exactly once.')
  .version(version)
  .addHelpText(
    'after',
    `
Examples:
  $ headwater start                                 take beacons, judge them, archive them
  $ headwater stats                                 how the scenarios do
  $ headwater query "SELECT count(*) FROM event_log"
  $ headwater config print --origins                what is set, and where it came from
  $ headwater doctor                                what is wrong, and what to do

Settings come from headwater.yaml, HEADWATER_… variables and flags, the later ones first: see "headwater config print".`,
  )
  .showHelpAfterError('(headwater --help shows the commands)')
  .hook('preAction', (_, command) => {
    if (!SERVERS.has(command.name())) endWithOutput()
  })

command('start', 'take beacons, judge them by scenarios, keep counters and Parquet files')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater start                                 data under ./data, beacons on port 8000
  $ headwater start --data-dir /var/lib/headwater --set gateway.port=80
  $ HEADWATER_SCENARIOS_FILE=my.json headwater start`,
  )
  .action(async (options: CommonOptions) => (await import('./commands/start.ts')).start(load(options)))

const statistics = command('stats', 'show every scenario: ratio, totals, last minute, last event')
  .option('--json', 'print an array of objects, one a scenario')
  .option('--all-versions', 'one row a judging version, also those no longer in force')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater stats                                 works while "headwater start" runs, and when it does not
  $ headwater stats --json | jq '.[].success_ratio'
  $ headwater stats rebuild                         when the counters were lost or damaged: count the archive again`,
  )
  .action(async (options: CommonOptions & { json?: boolean; allVersions?: boolean }) =>
    (await import('./commands/stats.ts')).stats(load(options), options),
  )
common(statistics.command('rebuild').description('count the archive again; the server must not run meanwhile'))
  .addHelpText(
    'after',
    `
Examples:
  $ headwater stats rebuild                         then "headwater start" goes on counting where the archive ends
  $ headwater stats rebuild --data-dir /var/lib/headwater`,
  )
  // "stats" takes the options that it has, too, wherever they stand.
  .action(async (_: CommonOptions, subcommand: Command) =>
    (await import('./commands/stats-rebuild.ts')).rebuild(load(subcommand.optsWithGlobals())),
  )

command('query', 'run SQL (DuckDB) over the archive: views event_log and scenario_log')
  .argument('<sql>', 'one SELECT')
  .option('--json', 'print an array of row objects')
  .option('--csv', 'print CSV with a header')
  .addOption(
    new Option('--timeout <seconds>', 'give up after this time').default(60).argParser(secondsOption('--timeout')),
  )
  .addHelpText(
    'after',
    `
Examples:
  $ headwater query "SELECT scenario_id, avg(success) FROM scenario_log GROUP BY 1"
  $ headwater query "SELECT url, count(*) n FROM event_log WHERE day = current_date GROUP BY 1 ORDER BY n DESC LIMIT 20"
  $ headwater query --csv "DESCRIBE event_log"`,
  )
  .action(async (sql: string, options: CommonOptions & { json?: boolean; csv?: boolean; timeout: number }) =>
    (await import('./commands/query.ts')).query(load(options), sql, options),
  )

command('replay', 'judge the past by scenarios: the archive, or log files; live counters stay as they are')
  .argument('[files...]', 'log files, also gzipped; without any: the archive of the data folder')
  .addOption(
    new Option('--as <what>', 'what the lines of log files are (default: beacons)').choices(['beacons', 'pageviews']),
  )
  .option('--host <origin>', 'with --as pageviews: whose pages they are, https://shop.example')
  .addOption(new Option('--from <time>', 'first day or moment judged').argParser(timeOption('--from', false)))
  .addOption(
    new Option('--until <time>', 'last day judged, or the moment behind').argParser(timeOption('--until', true)),
  )
  .addOption(new Option('--site <id>', 'only events of this site').argParser(wholeNumberOption('--site', 1)))
  .option('--scenarios <file>', 'scenario file to judge by (default: the configured one)')
  .addOption(
    new Option('--scenario <id>', 'only this scenario, also a disabled one; may be repeated')
      .default([], 'all')
      .argParser((text: string, ids: number[]) => [...ids, wholeNumberOption('--scenario', 1)(text)]),
  )
  .option('--to <folder>', 'write the outcomes into a new archive; the folder must be empty')
  .option('--json', 'print an array of objects, one a scenario')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater replay                                      the whole archive, by the scenarios in force
  $ headwater replay --scenarios draft.json --from 2026-11-01 --until 2026-11-30
  $ headwater replay --scenario 5 --site 1 --json
  $ headwater replay --to what-if --scenarios draft.json  then: headwater query --data-dir what-if "SELECT …"
  $ headwater replay data/log/access.log* old/*.gz        log files of the gateway, or of NGINX in front
  $ headwater replay --as pageviews --host https://shop.example /var/log/nginx/access.log*`,
  )
  .action(async (files: string[], options: CommonOptions & ReplayCommandOptions) =>
    (await import('./commands/replay.ts')).replay(load(options), files, options),
  )

command('demo', 'simulate visitors: against a running gateway, or into a log file')
  .addOption(new Option('--rate <n>', 'events a second').default(10).argParser(wholeNumberOption('--rate', 1)))
  .addOption(
    new Option('--duration <time>', 'how long: 90s, 10m, 2h')
      .default(60_000, '60s')
      .argParser(durationOption('--duration')),
  )
  .addOption(
    new Option('--seed <n>', 'the same seed makes the same visitors (default: a new one, printed)').argParser(
      wholeNumberOption('--seed', 0),
    ),
  )
  .option('--url <url>', 'gateway (default: the one that runs in the data folder)')
  .addOption(new Option('--site <id>', 'site of the events').default(1).argParser(wholeNumberOption('--site', 1)))
  .addOption(
    new Option('--scenario <id>', 'scenario that clicks on buy go to')
      .default(5)
      .argParser(wholeNumberOption('--scenario', 1)),
  )
  .addOption(new Option('--lines <n>', 'write so many log lines instead').argParser(wholeNumberOption('--lines', 1)))
  .option('--out <file>', 'with --lines: the new log file; - is standard output')
  .addOption(
    new Option('--start <time>', 'with --lines: time of the first line (default: the span ago)').argParser(
      timeOption('--start', false),
    ),
  )
  .addOption(
    new Option('--span <time>', 'with --lines: the time they are spread over: 6h, 7d')
      .default(86_400_000, '1d')
      .argParser(durationOption('--span')),
  )
  .addHelpText(
    'after',
    `
Examples:
  $ headwater demo                                        10 events a second for a minute, to what runs here
  $ headwater demo --rate 200 --duration 10m --seed 7
  $ headwater demo --url https://collect.example.com --rate 2
  $ headwater demo --lines 1000000 --out demo.log --start 2026-11-01 --span 30d
  $ headwater demo --lines 1000 --out - --seed 1 | head`,
  )
  .action(async (options: CommonOptions & DemoCommandOptions) =>
    (await import('./commands/demo.ts')).demo(load(options), options),
  )

command('doctor', 'look at everything and say what is wrong and what to do; exit status 1 if something is')
  .option('--archive', 'read the whole archive, too, and compare the counters with its rows')
  .option('--json', 'print an array of findings {check, verdict, message, remedy}')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater doctor                                works while "headwater start" runs, and when it does not
  $ headwater doctor --archive                      after a restore, a crash of the machine or a full disk
  $ headwater doctor --json | jq '.[] | select(.verdict != "ok")'`,
  )
  .action(async (options: CommonOptions & { json?: boolean; archive?: boolean }) =>
    (await import('./commands/doctor.ts')).doctor(() => load(options), options),
  )

command('forget', 'remove a visitor or a member from the archive, and prove it; the server may run meanwhile')
  .option('--visitor <_id>', 'the visitor: 16 hex digits, as in the column visitor_id')
  .option('--member <id>', 'the member: memberId, or uid where that was missing')
  .option('--expired', 'delete now what is older than archive.keepDays and deadLetters.keepDays')
  .option('--dry-run', 'count the rows, change nothing')
  .option('--logs', 'delete old access logs and segments too, before their time; only while the server is stopped')
  .option('--json', 'print what was done as an object')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater forget --visitor 0123456789abcdef --dry-run
  $ headwater forget --member 123456                exit status 0: a query found none of its rows left

docs/guide/privacy.md says what access logs hold besides, and for how long.`,
  )
  .action(async (options: CommonOptions & ForgetCommandOptions) =>
    (await import('./commands/forget.ts')).forgetRows(load(options), options),
  )

command('gateway', 'take beacons into the access log, and nothing else: an edge host of the distributed mode')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater gateway --data-dir /var/lib/headwater          then headwater ship, or Fluentd, takes the log to Kafka
  $ headwater gateway --set gateway.port=80 --set metrics.port=9465`,
  )
  .action(async (options: CommonOptions) => (await import('./commands/gateway.ts')).gateway(load(options)))

command('ship', 'send the access log to Kafka, as Fluentd would: at least once, repeats are dropped by id')
  .option('--file <path>', 'access log of NGINX or a gateway elsewhere (default: log/access.log in the data folder)')
  .option('--prune', 'delete rotated files that are shipped and older than log.keepMs (always, without --file)')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater ship --set kafka.brokers=kafka1:9092,kafka2:9092
  $ headwater ship --file /var/log/nginx/access.log --data-dir /var/lib/headwater-ship`,
  )
  .action(async (options: CommonOptions & ShipOptions) =>
    (await import('./commands/ship.ts')).ship(load(options), options),
  )

command('worker', 'run stages of the distributed mode; start as many as you like')
  .argument('[stage...]', 'filter, stats or archive; several run in one process')
  .option('--stages <list>', 'the same, separated by commas')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater worker filter
  $ headwater worker stats archive --data-dir /var/lib/headwater-worker
  $ headwater worker --stages filter,stats,archive --set metrics.port=0`,
  )
  .action(async (stages: string[], options: CommonOptions & { stages?: string }) =>
    (await import('./commands/worker.ts')).worker(load(options), [
      ...stages,
      ...(options.stages ?? '').split(',').filter(stage => stage !== ''),
    ]),
  )

command('topics', 'make the Kafka topics that are missing, and say which differ from what is needed')
  .option('--check', 'make nothing; exit status 1 when something is missing or differs')
  .option('--json', 'print an array {topic, state, differences}')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater topics --set kafka.brokers=kafka1:9092
  $ headwater topics --set topics.partitions=12 --set topics.replication=3
  $ headwater topics --check`,
  )
  .action(async (options: CommonOptions & { check?: boolean; json?: boolean }) =>
    (await import('./commands/topics.ts')).topics(load(options), options),
  )

const db = program.command('db').description('the MariaDB tables of scenarios and members')
common(db.command('migrate').description('make the tables, or bring them to what this version needs; may run again'))
  .addHelpText(
    'after',
    `
Examples:
  $ HEADWATER_MARIADB_PASSWORD=… headwater db migrate --set mariadb.host=db.internal`,
  )
  .action(async (options: CommonOptions) => (await import('./commands/db.ts')).migrateDatabase(load(options)))

command('import', 'take scenarios and members from their files into MariaDB')
  .option('--dry-run', 'say what would be done, change nothing')
  .addHelpText(
    'after',
    `
Examples:
  $ headwater import --dry-run
  $ headwater import --set scenarios.file=scenarios.json --set members.file=members.csv`,
  )
  .action(async (options: CommonOptions & { dryRun?: boolean }) =>
    (await import('./commands/import.ts')).importFiles(load(options), options),
  )

const config = program.command('config').description('check or print the configuration')
common(config.command('check').description('say everything that is wrong with the configuration; exit status 1 if so'))
  .addHelpText(
    'after',
    '\nExamples:\n  $ headwater config check\n  $ headwater config check --config /etc/headwater.yaml',
  )
  .action(async (options: CommonOptions) => (await import('./commands/config.ts')).checkConfig(load(options)))
common(config.command('print').description('print the configuration in force, as YAML'))
  .option('--json', 'as JSON')
  .option('--origins', 'say behind each line where the value came from')
  .addHelpText(
    'after',
    '\nExamples:\n  $ headwater config print > headwater.yaml\n  $ headwater config print --origins',
  )
  .action(async (options: CommonOptions & { json?: boolean; origins?: boolean }) =>
    (await import('./commands/config.ts')).printConfig(load(options), options),
  )

await run()

function command(name: string, description: string): Command {
  return common(program.command(name).description(description))
}

function common(subcommand: Command): Command {
  return subcommand
    .option('--config <file>', 'configuration file (default: headwater.yaml here, if there is one)')
    .option('--data-dir <folder>', 'data folder')
    .option('--set <path=value>', 'one setting, such as gateway.port=9000; may be repeated', collect, {})
}

function collect(pair: string, settings: Record<string, string>): Record<string, string> {
  const equals = pair.indexOf('=')
  if (equals < 1)
    throw new CommanderError(1, 'set', `error: --set wants path=value, such as gateway.port=9000. Found: ${pair}`)
  return { ...settings, [pair.slice(0, equals)]: pair.slice(equals + 1) }
}

function load(options: CommonOptions): LoadedConfig {
  return loadConfig({
    file: options.config,
    env: process.env,
    flags: { ...options.set, dataDir: options.dataDir ?? options.set.dataDir },
    cwd: process.cwd(),
  })
}

/** Errors that carry a code are sentences for the user; anything else is a defect and shows its stack. */
async function run(): Promise<void> {
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) console.error(error.message)
    else if (error instanceof Error && 'code' in error) {
      console.error(error.message)
      // The gateway does not know by which settings it got its ports.
      if (error.code === 'LISTEN_FAILED')
        console.error(
          'Another program listens there, this user may not open the port, or the host is no address of this machine: ' +
            'headwater doctor says which. Choose another port, such as --set gateway.port=9000 or --set metrics.port=9465 ' +
            '(0 takes any free one), or another host: gateway.host, metrics.host.',
        )
    } else console.error(error)
    process.exitCode = error instanceof CommanderError ? error.exitCode : 1
  }
}
