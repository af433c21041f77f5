#!/bin/sh
# nginx as an arm of tunnel-bench, bytes from TCP to TCP, one worker each: one process, or two with a Unix socket between them, which is as many
# hops as the tunnel has.
#   --arm 'nginx=http://127.0.0.1:{port},start=exec sh examples/nginx-stream.sh {port} {origin} 1'
#   --arm 'nginx2=http://127.0.0.1:{port},start=exec sh examples/nginx-stream.sh {port} {origin} 2'
# Ends with any of them, or on SIGTERM, and then removes what it has made.
set -eu
port=$1
origin=$2
hops=$3
. "$(dirname "$0")/foreground.sh"

# Where the stream module is a file of its own it has to be loaded.
module=$(nginx -V 2>&1 | tr ' ' '\n' | sed -n 's/^--modules-path=//p')/ngx_stream_module.so
load=
if [ -e "$module" ]; then load="load_module $module;"; fi

# start NAME LISTEN TARGET
start () {
  cat > "$folder/$1.conf" <<CONF
$load
daemon off;
master_process off;
worker_processes 1;
pid $folder/$1.pid;
error_log stderr;
events { worker_connections 8192; }
stream {
    server {
        listen $2;
        proxy_pass $3;
        tcp_nodelay on;
    }
}
CONF
  nginx -p "$folder" -c "$folder/$1.conf" &
  started
}

if [ "$hops" = 1 ]; then
  start one "127.0.0.1:$port" "$origin"
else
  start back "unix:$folder/middle.sock" "$origin"
  start front "127.0.0.1:$port" "unix:$folder/middle.sock"
fi
stay
