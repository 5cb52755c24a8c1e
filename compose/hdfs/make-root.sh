#!/bin/sh
# make-root.sh FOLDER OWNER [-D property=value …]   makes the archive's folder and gives it to the user of the workers
# (hdfs.root, hdfs.user). Runs as HDFS's superuser: whoever started the NameNode. May run again at any time.
set -eu
folder=${1:?usage: make-root.sh FOLDER OWNER}
owner=${2:?usage: make-root.sh FOLDER OWNER}
shift 2
PATH="$PATH:/opt/hadoop/bin"
hdfs dfsadmin "$@" -safemode wait
hdfs dfs "$@" -mkdir -p "$folder"
hdfs dfs "$@" -chown "$owner:$owner" "$folder"
