# shellcheck shell=bash
# Read by backup.sh and restore.sh, never run.

# Sets `address` to a Postgres address without its password, which goes into PGPASSWORD: what stands on a command line can be
# read by everybody on the machine.
without_password() { # URL
    # shellcheck disable=SC2034 # whoever calls this uses it
    address=$1
    if [[ $1 =~ ^(postgres(ql)?://)([^:@/?]*):([^@/?]*)@(.*)$ ]]; then
        # shellcheck disable=SC2034
        address=${BASH_REMATCH[1]}${BASH_REMATCH[3]}@${BASH_REMATCH[5]}
        local password=${BASH_REMATCH[4]//\\/\\\\}
        PGPASSWORD=$(printf '%b' "${password//%/\\x}")
        export PGPASSWORD
    fi
}
