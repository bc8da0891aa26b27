#!/usr/bin/env bash
# Brings back a school from a backup of backup.sh. Everything is verified and copied before anything is replaced; what was there
# is kept beside it. Server and workers must be stopped.
set -Eeuo pipefail
trap 'echo "restore: a step failed (line $LINENO)" >&2' ERR
umask 077
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/postgres-address.sh
. "$here/postgres-address.sh"

usage() {
    cat <<'END'
usage: restore.sh --from BACKUP --data-dir DIR [--replace] [--photos local|none|s3://BUCKET[/PREFIX]]
       restore.sh --from BACKUP --check

  --from BACKUP    a folder rollcall-<time> that backup.sh has made
  --data-dir DIR   the school's data folder
  --replace        where there is a school already: put it aside into DIR/before-restore-<time>/ and take its place
  --photos         local: into the data folder [default]; s3://...: into a bucket, with the `aws` program; none: leave them
  --check          only verify the backup

ROLLCALL_DATABASE_URL   the Postgres address, for a backup of Postgres. Every table of its schema `public` is replaced
                        sqlite:FILE puts a SQLite database elsewhere than DIR/rollcall.db
For buckets elsewhere than with Amazon set AWS_ENDPOINT_URL. Ends with 0, or 1 and a reason.
END
}

refuse() {
    echo "restore: $*" >&2
    exit 1
}

from='' data_dir='' replace=no check=no photos=local
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage && exit ;;
        --replace) replace=yes && shift && continue ;;
        --check) check=yes && shift && continue ;;
        --from | --data-dir | --photos) [ $# -ge 2 ] || refuse "$1 needs a value" ;;
        *) usage >&2 && exit 2 ;;
    esac
    case $1 in
        --from) from=${2%/} ;;
        --data-dir) data_dir=$2 ;;
        --photos) photos=${2%/} ;;
    esac
    shift 2
done
if [ -z "$from" ] || { [ -z "$data_dir" ] && [ $check = no ]; }; then usage >&2 && exit 2; fi
[[ $photos =~ ^(local|none|s3://.+)$ ]] || refuse "--photos $photos: local, none or s3://BUCKET"
if [ "$photos" = local ] && [ "${ROLLCALL_STORAGE__KIND:-local}" != local ]; then
    refuse "the photos of this school belong in a bucket: name it with --photos s3://BUCKET/PREFIX, or say --photos none"
fi

# Every file is listed and as it was, and there is no other.
verify() { # FOLDER
    grep -qx 'format: 1' "$1/MANIFEST" 2>/dev/null || refuse "$1 is no backup that this program can read"
    (cd "$1" && sha256sum --check --quiet --strict SHA256SUMS >&2) || refuse "$1 is damaged; take another one"
    local found listed
    found=$(cd "$1" && find . -type f ! -path ./SHA256SUMS | sort)
    listed=$(cut -c 67- "$1/SHA256SUMS" | sort)
    [ "$found" = "$listed" ] || refuse "$1 holds files that its list does not name; take another one"
    [ -z "$(find "$1" ! -type f ! -type d)" ] || refuse "$1 holds something that is neither file nor folder"
}

verify "$from"
database=$(sed -n 's/^database: //p' "$from/MANIFEST")
kept_photos=$(sed -n 's/^photos: //p' "$from/MANIFEST")
case $database in
    sqlite) [ "$(head -c 15 "$from/database.db")" = 'SQLite format 3' ] || refuse "$from/database.db is no database" ;;
    postgres) pg_restore --list "$from/database.dump" >/dev/null || refuse "$from/database.dump is no dump" ;;
    *) refuse "$from holds no database" ;;
esac
if [ $check = yes ]; then
    echo "$from is sound: $(sed -n 's/^photo files: //p' "$from/MANIFEST") photos, database: $database"
    exit
fi
if [ "$kept_photos" = none ] && [ "$photos" != none ]; then
    refuse "$from holds no photos; bring them back from where they are kept, and say --photos none"
fi

mkdir -p "$data_dir"
data_dir=$(cd "$data_dir" && pwd)
url=${ROLLCALL_DATABASE_URL:-}
file=$data_dir/rollcall.db
case $database/$url in
    postgres/postgres://* | postgres/postgresql://*) without_password "$url" ;;
    postgres/*) refuse "this is a backup of Postgres: name the database in ROLLCALL_DATABASE_URL" ;;
    sqlite/postgres*) refuse "this is a backup of SQLite, but ROLLCALL_DATABASE_URL names a Postgres database" ;;
    sqlite/?*) file=${url#sqlite:} && file=${file#//} ;;
esac

ask() { # SQL
    psql --no-psqlrc --quiet --tuples-only --no-align --dbname="$address" --command="$1"
}

# What is there, in words; nothing for an empty place.
there() {
    case $database in
        sqlite) [ ! -e "$file" ] || echo "the database $file" ;;
        postgres)
            local tables
            tables=$(ask "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            [ "$tables" = 0 ] || echo "a database with $tables tables"
            ;;
    esac
    [ "$photos" = local ] || return 0
    for folder in attendance_photos samples leaves; do
        [ -z "$(find "$data_dir/$folder" -type f -print -quit 2>/dev/null)" ] || echo "photos in $data_dir/$folder"
    done
}

users() { # how many programs have the database open
    case $database in
        # Processes of others are seen by root only; who restores is root or the school's own user.
        sqlite)
            { find /proc/[0-9]*/fd -lname "$(realpath -m "$file")*" -printf '%h\n' 2>/dev/null || true; } | sort -u | wc -l
            ;;
        postgres)
            ask "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                 AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ;;
    esac
}

found=$(there)
if [ -n "$found" ] && [ $replace = no ]; then
    refuse "there is a school already:
$found
say --replace to put it aside and take its place; nothing was changed"
fi
# A connection that has just ended may be counted for a moment.
for _ in 1 2 3 4 5; do
    open=$(users)
    if [ "$open" = 0 ]; then break; fi
    sleep 1
done
[ "$open" = 0 ] || refuse "the database is in use: stop server and workers first; nothing was changed"

stamp=$(date -u +%Y%m%dT%H%M%SZ)
# Two may be done within one second.
number=1
while [ -e "$data_dir/before-restore-$stamp" ]; do
    number=$((number + 1))
    stamp=${stamp%-[0-9]*}-$number
done
stage=$data_dir/.restoring-$stamp
aside=$data_dir/before-restore-$stamp
mkdir "$stage" "$aside"
trap 'rm -rf "$stage"; rmdir --ignore-fail-on-non-empty "$aside"' EXIT
if [ "$photos" = none ]; then
    find "$from" -mindepth 1 -maxdepth 1 ! -name photos -exec cp --archive --target-directory="$stage" {} +
    sed -i '\#^[0-9a-f]*  \./photos/#d' "$stage/SHA256SUMS"
else
    cp --archive "$from/." "$stage/"
fi
verify "$stage"
if [ "$(id -u)" = 0 ]; then chown -R --reference="$data_dir" "$stage" "$aside"; fi

# One transaction: the database is as it was, or as the backup has it.
restore_postgres() {
    if [[ $found == *tables* ]]; then
        pg_dump --format=custom --no-owner --no-privileges --file="$aside/database.dump" --dbname="$address"
    fi
    # Tables, indexes and data. The schema itself and extensions are the administrator's and stay.
    pg_restore --list "$stage/database.dump" |
        grep -vE '^[0-9]+; [0-9]+ [0-9]+ (SCHEMA|EXTENSION|COMMENT|ACL|DEFAULT ACL) ' >"$stage/contents"
    pg_restore --no-owner --no-privileges --use-list="$stage/contents" --file="$stage/database.sql" "$stage/database.dump"
    cat >"$stage/empty.sql" <<'SQL'
SET client_min_messages = warning;
DO $$
DECLARE
    name TEXT;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('DROP TABLE public.%I CASCADE', name);
    END LOOP;
END
$$;
SQL
    psql --no-psqlrc --quiet --single-transaction --set=ON_ERROR_STOP=1 --output=/dev/null --dbname="$address" \
        --file="$stage/empty.sql" --file="$stage/database.sql" ||
        refuse "the database took nothing of the backup and is as it was"
}

take_place() { # STAGED PLACE
    if [ -e "$2" ]; then mv "$2" "$aside/"; fi
    mv "$1" "$2"
}

case $photos in
    s3://*)
        for folder in attendance_photos samples leaves; do
            [ -d "$stage/photos/$folder" ] || continue # an older backup has no leaves
            aws s3 sync "$stage/photos/$folder" "$photos/$folder" --only-show-errors
        done
        ;;
esac
if [ "$database" = postgres ]; then restore_postgres; fi
if [ "$photos" = local ]; then
    for folder in attendance_photos samples leaves; do
        [ ! -d "$stage/photos/$folder" ] || take_place "$stage/photos/$folder" "$data_dir/$folder"
    done
fi
if [ "$database" = sqlite ]; then
    # The log of the old database must never meet the new one.
    for rest in "$file-wal" "$file-shm"; do
        if [ -e "$rest" ]; then mv "$rest" "$aside/"; fi
    done
    take_place "$stage/database.db" "$file"
fi
if [ -f "$stage/rollcall.toml" ] && [ ! -e "$data_dir/rollcall.toml" ]; then
    mv "$stage/rollcall.toml" "$data_dir/"
fi
sync --file-system "$data_dir"
echo "restored from $from; settings that were there were kept. Now run: rollcall --data-dir $data_dir doctor"
if [ -n "$found" ]; then echo "what was there before is in $aside; delete it when you do not need it any more"; fi
