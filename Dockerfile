# syntax=docker/dockerfile:1.7
# rollcall on the CPU: program, ONNX Runtime, starter pack. Nothing of a school is in the image; that lies in the volume
# /var/lib/rollcall, in Postgres and in a bucket.
#
#   docker build --tag rollcall:local .
#
# The tags are exact. To hold a build to the very bytes, give an image with its digest:
#   docker build --build-arg RUNTIME_IMAGE=debian:12.12-slim@sha256:... .
ARG BUILD_IMAGE=rust:1.95.0-slim-bookworm
ARG RUNTIME_IMAGE=debian:12.12-slim

FROM ${BUILD_IMAGE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential libpq-dev python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# First what changes seldom.
COPY deploy/setup-runtime.py deploy/
RUN python3 deploy/setup-runtime.py
COPY . .
RUN sh deploy/prerequisites.sh
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin rollcall && cp target/release/rollcall .

FROM ${RUNTIME_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libpq5 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/rollcall --shell /usr/sbin/nologin rollcall \
    && install --directory --owner=rollcall --group=rollcall --mode=0700 /var/lib/rollcall
COPY --from=build /build/runtime /opt/rollcall/runtime
COPY --from=build /build/LICENSE-MIT /build/LICENSE-APACHE /opt/rollcall/
COPY --from=build /build/models /opt/rollcall/models
COPY --from=build /build/deploy/container/health /opt/rollcall/
COPY --from=build /build/rollcall /opt/rollcall/
# For `docker exec SERVER rollcall ...`; the program looks for its libraries beside the file itself, not beside the link.
RUN ln -s /opt/rollcall/rollcall /usr/local/bin/rollcall
ENV ROLLCALL_DATA_DIR=/var/lib/rollcall \
    ROLLCALL_SERVER__LISTEN=0.0.0.0:8080 \
    ROLLCALL_PROVIDER=cpu \
    ROLLCALL_LOG__LEVEL=info \
    ROLLCALL_LOG__FORMAT=json
USER 10001:10001
WORKDIR /var/lib/rollcall
VOLUME /var/lib/rollcall
EXPOSE 8080
# The program answers SIGTERM itself: what is in hand is finished, the rest goes back to the queue.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 CMD ["/opt/rollcall/health"]
ENTRYPOINT ["/opt/rollcall/rollcall"]
CMD ["serve"]
