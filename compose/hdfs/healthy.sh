#!/bin/bash
# healthy.sh namenode|datanode [HOST:PORT]   exit status 0: files can be read and written (NameNode: out of safe mode), or
# the DataNode reports to its NameNode. Asks /jmx by bash alone: `hdfs dfsadmin` would start a JVM each time.
set -euo pipefail
part=${1:?usage: healthy.sh namenode|datanode [HOST:PORT]}
case $part in
  namenode) at=${2:-127.0.0.1:9870} bean=Hadoop:service=NameNode,name=FSNamesystemState expected='"FSState" : "Operational"' ;;
  datanode) at=${2:-127.0.0.1:9864} bean=Hadoop:service=DataNode,name=DataNodeInfo expected='\"ActorState\":\"RUNNING\"' ;;
  *) echo "expected namenode or datanode. Found: $part" >&2; exit 2 ;;
esac
exec 3<>"/dev/tcp/${at%:*}/${at##*:}"
printf 'GET /jmx?qry=%s HTTP/1.0\r\nHost: %s\r\n\r\n' "$bean" "$at" >&3
answer=$(timeout 5 cat <&3)
[[ $answer == *"$expected"* ]] || { echo "the $part is not ready" >&2; exit 1; }
