-- Members. Every column but member_id is an attribute that filters may name; add columns as you like. A table that is there
-- already, the original's say, is taken as it is. NOPAD: '7 ' is not '7'.
CREATE TABLE IF NOT EXISTS member (
  member_id VARCHAR(200) COLLATE utf8mb4_nopad_bin NOT NULL PRIMARY KEY,
  age VARCHAR(200) NULL,
  gender VARCHAR(200) NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
