#!/usr/bin/env bash
# Runs host-examples/weechat in weechat-headless, and prints what it has answered: weechat.sh PLUG-IN FOLDER
# The folder gets WeeChat's settings, and its log, by which a program without a screen shows what is in its buffers.
set -euo pipefail
plugin=$1 folder=$2
log=$folder/logs/core.weechat.weechatlog
logger=$(find /usr/lib /usr/local/lib -path '*weechat/plugins/logger.so' -print -quit 2>/dev/null)
mkdir -p "$folder"
weechat-headless -d "$folder" -p -r "/plugin load $logger" -r "/set logger.file.path $folder/logs" -r "/set logger.file.flush_delay 0" -r "/plugin load $plugin" \
    -r "/factor 600851475143 97 0 100000380000361" &
weechat=$!
trap 'kill $weechat 2>/dev/null || true' EXIT
for ((i = 0; i < 1000; i++)); do
    if grep -q 'factor: 3 of 4 numbers' "$log" 2>/dev/null; then break; fi
    sleep 0.1
done
cat "$log"
