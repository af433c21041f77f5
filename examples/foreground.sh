# What the other examples share, read by `. "$(dirname "$0")/foreground.sh"`: a folder of their own, and staying in the foreground. On SIGTERM, and
# whenever the script ends, all that it has started ends with it, and the folder is removed.
folder=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
trap 'exit 143' INT TERM

# started: after `program &`. `jobs -p` would not do: in a subshell some shells have forgotten them.
started () {
  pids="$pids $!"
}

# stay: until one of what was started ends.
stay () {
  while :; do
    for pid in $pids; do
      kill -0 "$pid" 2>/dev/null || exit 1
    done
    # A signal ends the wait.
    sleep 1 &
    wait $! || true
  done
}
