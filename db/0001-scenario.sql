-- Scenarios. Names follow the original's table where it has them; what it spread over scenario_filter and log_format is one
-- JSON definition, the seeds' own form. Its columns title, manager, status and logical_operator are read from there: change
-- a scenario through Headwater, which checks it, raises its version and tells the workers.
CREATE TABLE IF NOT EXISTS scenario (
  scenario_id INT UNSIGNED NOT NULL PRIMARY KEY,
  version INT UNSIGNED NOT NULL,
  judging_version INT UNSIGNED NOT NULL,
  definition JSON NOT NULL,
  title VARCHAR(200) AS (JSON_VALUE(definition, '$.title')) VIRTUAL,
  manager VARCHAR(100) AS (JSON_VALUE(definition, '$.manager')) VIRTUAL,
  status VARCHAR(5) AS (IF(JSON_CONTAINS(definition, 'true', '$.enabled'), 'RUN', 'PAUSE')) VIRTUAL,
  logical_operator VARCHAR(3) AS (JSON_VALUE(definition, '$.logical_operator')) VIRTUAL,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  -- A removed scenario keeps its row for ever: its id is never used again, as old outcomes bear it.
  removed_at DATETIME(3) NULL,
  KEY updated (updated_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Every version that was ever saved. When the present definition cannot be read, the last one here that can stays in force.
CREATE TABLE IF NOT EXISTS scenario_version (
  scenario_id INT UNSIGNED NOT NULL,
  version INT UNSIGNED NOT NULL,
  judging_version INT UNSIGNED NOT NULL,
  definition JSON NOT NULL,
  saved_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (scenario_id, version)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row. Raised by every save, first of all: so saves come one after the other, and a look at it tells whether there was one.
CREATE TABLE IF NOT EXISTS scenario_change (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  number BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO scenario_change (id, number) VALUES (1, 0);
