# What CI does, and nothing else: reads, builds, tests; changes no source file.
verify:
    .ci/run

# Mends what a machine can mend.
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged
    typos --write-changes

# Everything without a bound, beside what CI does: the suite in full size over both of our storages, ten thousand histories, the models
# in their larger bounds, the fuzzer.
full: can-fuzz && (fuzz "300")
    LONGSHORE_SIZE=full cargo test --release -p longshore-conformance --all-features --test memory --test folder --test real_time
    cargo run --release -p longshore-conformance --example simulate -- --seeds 0..10000
    LONGSHORE_MODEL=full cargo test --release -p longshore-model

# Feeds random objects to the decoders. Needs a nightly toolchain and `cargo install cargo-fuzz`. What it finds lies in
# fuzz/found; the seeds in fuzz/corpus stay as they are.
fuzz seconds="60":
    mkdir -p fuzz/found/frame
    cargo +nightly fuzz run frame fuzz/found/frame fuzz/corpus/frame -- -max_total_time={{ seconds }} -max_len=65536

# Else `full` would say so at its end, after hours.
[private]
can-fuzz:
    cargo +nightly fuzz --version

# Two real servers that cannot be trusted are refused: one lets several win a race, one knows no conditions. Needs them installed
# (`scripts/servers/s3s-fs.sh install`, `scripts/servers/garage.sh install`: minutes each).
hostile:
    cargo build -p longshore-s3 --example hostile
    scripts/servers/with-s3.sh s3s-fs cargo run --quiet -p longshore-s3 --example hostile -- 20 19
    scripts/servers/with-s3.sh garage cargo run --quiet -p longshore-s3 --example hostile -- 20 20

# What longshore costs beside the sum of its parts, as ratios. Minutes; a busy machine blurs it. `just bench -- s3`, or `library` or
# `command` or `webdav`, for one part; that of S3 needs a server: DEVICE_GIB=8 scripts/servers/with-s3.sh ceph-rgw just bench -- s3. With
# `--check` it fails where a bar is missed.
bench *arguments:
    cargo build --release -p longshore-cli -p longshore-bench
    cargo run --release -p longshore-bench -- {{ arguments }}
