#!/bin/sh
# start-namenode.sh [-D property=value …]   becomes the NameNode; formats its folder ($HDFS_NAME_DIR) when that is empty
#
# A folder that was lost is made anew under a new cluster id: DataNodes of the old one then refuse to serve it, and nothing
# is overwritten.
set -eu
name_dir=${HDFS_NAME_DIR:-/var/lib/hdfs/name}
PATH="$PATH:/opt/hadoop/bin"
[ -e "$name_dir/current" ] || hdfs namenode "$@" -format -nonInteractive
exec hdfs namenode "$@"
