#!/usr/bin/env bash
# Copies a whole school, database and photos, into a new folder below --to, while the school is in use.
#
# The database comes first: photos are stored before their rows, so every photo of the copied database is there. A backup
# appears under its name when it is complete; photos that the one before has, too, take no room again where there is rsync.
# restore.sh brings it back. Nothing here opens the photos of another school or deletes anything but backups of its own.
set -Eeuo pipefail
trap 'echo "backup: a step failed (line $LINENO); there is no new backup" >&2' ERR
umask 077
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/postgres-address.sh
. "$here/postgres-address.sh"

usage() {
    cat <<'END'
usage: backup.sh --data-dir DIR --to DIR [--keep N] [--photos local|none|s3://BUCKET[/PREFIX]]

  --data-dir DIR   the school's data folder
  --to DIR         where backups are kept, best on another disk; each becomes a folder rollcall-<time>
  --keep N         older ones beyond N are deleted [default: 14]
  --photos         local: those of the data folder [default]; s3://...: a bucket, with the `aws` program;
                   none: somebody else keeps them

ROLLCALL_DATABASE_URL   a Postgres address; without it the SQLite database of the settings is copied
ROLLCALL                the program, when it is not `rollcall` on the PATH
For buckets elsewhere than with Amazon set AWS_ENDPOINT_URL. Ends with 0, or 1 and a reason.
END
}

refuse() {
    echo "backup: $*" >&2
    exit 1
}

data_dir='' to='' keep=14 photos=local
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage && exit ;;
        --data-dir | --to | --keep | --photos) [ $# -ge 2 ] || refuse "$1 needs a value" ;;
        *) usage >&2 && exit 2 ;;
    esac
    case $1 in
        --data-dir) data_dir=$2 ;;
        --to) to=$2 ;;
        --keep) keep=$2 ;;
        --photos) photos=${2%/} ;;
    esac
    shift 2
done
if [ -z "$data_dir" ] || [ -z "$to" ]; then usage >&2 && exit 2; fi
[[ $keep =~ ^[1-9][0-9]*$ ]] || refuse "--keep $keep: at least one must be kept"
[[ $photos =~ ^(local|none|s3://.+)$ ]] || refuse "--photos $photos: local, none or s3://BUCKET"
if [ "$photos" = local ] && [ "${ROLLCALL_STORAGE__KIND:-local}" != local ]; then
    refuse "the photos of this school are in a bucket: name it with --photos s3://BUCKET/PREFIX, or say --photos none"
fi
[ -d "$data_dir" ] || refuse "there is no data folder $data_dir"
data_dir=$(cd "$data_dir" && pwd)
mkdir -p "$to"
to=$(cd "$to" && pwd)
url=${ROLLCALL_DATABASE_URL:-}
program=${ROLLCALL:-rollcall}

exec 9>"$to/.lock"
flock --nonblock 9 || refuse "another backup into $to is being made"
# What an interrupted run left; the lock says that it is nobody's.
rm -rf "$to"/.unfinished-*

complete() { # prints the backups that are here, oldest first
    find "$to" -mindepth 2 -maxdepth 2 -path "$to/rollcall-*Z/SHA256SUMS" -printf '%h\n' | sort
}

previous=$(complete | tail -n 1)
if [ -n "$previous" ] && ! (cd "$previous" && sha256sum --check --quiet --strict SHA256SUMS >&2); then
    echo "backup: $previous is damaged and not built upon; everything is copied anew" >&2
    previous=
fi

while made=$(date -u +%Y%m%dT%H%M%SZ) && [ -e "$to/rollcall-$made" ]; do sleep 1; done
work=$to/.unfinished-$made
mkdir "$work"
trap 'rm -rf "$work"' EXIT

# Also sets `newest`: what the copied database calls some of its newest photos.
copy_database() {
    case $url in
        postgres://* | postgresql://*)
            without_password "$url"
            pg_dump --format=custom --no-owner --no-privileges --file="$work/database.dump" --dbname="$address"
            # Reads the whole table of contents; a dump of another database has no such table.
            pg_restore --list "$work/database.dump" | grep ' TABLE DATA [^ ]* session_photos ' >/dev/null ||
                refuse "the database holds no tables of rollcall"
            newest=$(psql --no-psqlrc --quiet --tuples-only --no-align --dbname="$address" --command="
                (SELECT object_key FROM session_photos WHERE state <> 'failed' ORDER BY id DESC LIMIT 20) UNION ALL
                (SELECT object_key FROM face_samples ORDER BY id DESC LIMIT 20)")
            database=postgres
            ;;
        *)
            local said
            said=$("$program" --json --data-dir "$data_dir" admin backup "$work/database.db")
            newest=$(grep -oE '"(attendance_photos|samples)/[^"]+"' <<<"$said" | tr -d '"' || true)
            database=sqlite
            ;;
    esac
}

# attendance_photos, samples, leaves: what cannot be made again. Half-written files have names of their own and are left out.
copy_photos() { # FOLDER
    local into=$work/photos/$1
    mkdir -p "$into"
    case $photos in
        s3://*)
            # Files of the backup before are linked; `aws` replaces what differs by a new file.
            [ ! -d "$previous/photos/$1" ] || cp --archive --link "$previous/photos/$1/." "$into/"
            aws s3 sync "$photos/$1" "$into" --delete --exact-timestamps --only-show-errors
            ;;
        local)
            [ -d "$data_dir/$1" ] || return 0
            if command -v rsync >/dev/null; then
                local ended=0
                rsync --archive --exclude='.unfinished-*' ${previous:+"--link-dest=$previous/photos/$1/"} \
                    "$data_dir/$1/" "$into/" || ended=$?
                # 24: a photo was deleted meanwhile, as retention does.
                [ $ended = 0 ] || [ $ended = 24 ] || refuse "the photos could not be copied (rsync ended with $ended)"
            else
                cp --archive "$data_dir/$1/." "$into/"
                find "$into" -name '.unfinished-*' -delete
            fi
            ;;
    esac
}

# A backup without photos, because they are somewhere else, must not look like one.
look_for_newest() {
    local key missing=0 all=0
    while read -r key; do
        if [ -z "$key" ]; then continue; fi
        all=$((all + 1))
        [ -f "$work/photos/$key" ] || missing=$((missing + 1))
    done <<<"$newest"
    [ $all = 0 ] || [ $missing -lt $all ] || refuse "none of the newest photos of the database is in ${photos/local/$data_dir}:
where are they? See storage.kind in the settings, and --photos"
    [ $missing = 0 ] || echo "backup: $missing of the newest $all photos are not where they should be: see 'rollcall admin storage check'" >&2
}

copy_database
if [ "$photos" != none ]; then
    copy_photos attendance_photos
    copy_photos samples
    copy_photos leaves
    look_for_newest
fi
[ ! -f "$data_dir/rollcall.toml" ] || cp --preserve=timestamps "$data_dir/rollcall.toml" "$work/"

files=$(find "$work" -path "$work/photos/*" -type f -printf . | wc -c)
cat >"$work/MANIFEST" <<END
format: 1
made: $made
program: $("$program" --version 2>/dev/null || echo unknown)
database: $database
photos: ${photos%%:*}
photo files: $files
END
(cd "$work" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$to/.sums"
mv "$to/.sums" "$work/SHA256SUMS"
# On the disk before it has its name.
sync --file-system "$to"
mv "$work" "$to/rollcall-$made"

complete | head -n "-$keep" | while read -r old; do rm -rf "$old"; done
echo "$to/rollcall-$made: database and $files photos, $(du -sh "$to/rollcall-$made" | cut -f 1)"
