#!/bin/sh
# small_disk.sh SMALL LARGE COMMAND…
#
# Runs a command on a disk that is too small for it, again while that disk is full, and once more when it has
# been made larger. To be started in a mount namespace of its own: then nobody else sees the disk, and it is
# gone with the last of these processes. Sizes are those of mount(8): 8m.
#
# The disk is `disk` in the working folder. Each attempt leaves {small,still,large}.{out,err,code} and, in the
# folder of that name, a copy of the disk.
set -eu
small=$1 large=$2
shift 2

attempt() {
    name=$1 code=0
    shift
    timeout --signal=KILL 60 "$@" >"$name.out" 2>"$name.err" || code=$?
    echo "$code" >"$name.code"
    cp -R disk "$name"
}

mkdir disk
mount -t tmpfs -o "size=$small" tmpfs disk
attempt small "$@"
attempt still "$@"
# With its source named, mount(8) does not repeat the options that it was mounted with, such as an owner whom
# a user namespace does not know.
mount -t tmpfs -o "remount,size=$large" tmpfs disk
attempt large "$@"
