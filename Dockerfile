# rollcall for processors without a GPU. Built from the repository alone:
#   docker build --tag rollcall:cpu .
# Run it with a read-only root, a volume at /data and a tmpfs at /tmp; deploy/compose.yaml does.

# The program, with libpq and OpenSSL inside, as `make dist` builds it.
FROM rust:1.95-slim-bookworm AS build
# Compiler and perl are as good in any version of this Debian.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY dataset/demo dataset/demo
COPY migrations migrations
COPY models/starter models/starter
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --features static-libpq --bin rollcall \
    && install -D target/release/rollcall /opt/rollcall/rollcall

# ONNX Runtime: pinned wheels, checked by their hashes, unpacked and nothing installed.
FROM python:3.13-slim-bookworm AS runtime
COPY deploy/setup-runtime.py /setup/
RUN python3 /setup/setup-runtime.py --into /opt/rollcall/runtime

FROM debian:12.13-slim
# Security updates are wanted, whatever their version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 rollcall \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin rollcall \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY LICENSE-APACHE LICENSE-MIT /opt/rollcall/
COPY dataset/demo /opt/rollcall/dataset/demo
COPY models/README.md /opt/rollcall/models/
COPY models/starter /opt/rollcall/models/starter
COPY deploy/healthcheck.sh /opt/rollcall/
COPY --from=runtime /opt/rollcall/runtime /opt/rollcall/runtime
COPY --from=build /opt/rollcall/rollcall /opt/rollcall/
RUN ln -s /opt/rollcall/rollcall /usr/local/bin/rollcall

ENV ROLLCALL_DATA_DIR=/data \
    ROLLCALL_SERVER__LISTEN=0.0.0.0:8080 \
    ROLLCALL_PROVIDER=cpu \
    ROLLCALL_LOG__LEVEL=info \
    ROLLCALL_LOG__FORMAT=json
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 CMD ["/opt/rollcall/healthcheck.sh"]
LABEL org.opencontainers.image.title="rollcall" \
    org.opencontainers.image.description="Turns photos of a classroom into attendance" \
    org.opencontainers.image.licenses="(MIT OR Apache-2.0); the starter pack is not for commercial use"
ENTRYPOINT ["/opt/rollcall/rollcall"]
CMD ["serve"]
