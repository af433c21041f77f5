#!/bin/sh
# Two haproxy processes with a Unix socket between them, as an arm of tunnel-bench: as many hops as the tunnel has.
#   --arm 'haproxy2=http://127.0.0.1:{port},start=exec sh examples/haproxy-two-hops.sh {port} {origin}'
# Each has one thread. Ends with either of the two, or on SIGTERM, and then removes what it has made.
set -eu
port=$1
origin=$2
. "$(dirname "$0")/foreground.sh"

# start NAME LISTEN TARGET
start () {
  cat > "$folder/$1.cfg" <<CFG
global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend clients
    bind "$2"
    default_backend next
backend next
    server one "$3"
CFG
  haproxy -f "$folder/$1.cfg" &
  started
}

start back "unix@$folder/middle.sock" "$origin"
start front "127.0.0.1:$port" "unix@$folder/middle.sock"
stay
