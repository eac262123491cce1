#!/bin/sh
# The object store; its key and secret are no arguments, which everybody on the host could read.
set -eu
RCLONE_AUTH_KEY="\"$(cat /run/secrets/s3_key),$(cat /run/secrets/s3_secret)\""
RCLONE_CONFIG=/tmp/rclone.conf
export RCLONE_AUTH_KEY RCLONE_CONFIG
mkdir -p /data/mlflow
exec rclone serve s3 --addr :8333 /data
