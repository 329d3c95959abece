//! What decoding costs, stage by stage, beside libdeflate's decode-only time over the same bytes in the same run.
//!
//! Every figure is CPU time of one thread, the best of several rounds.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use trailhound::decode::{Limits, Reject, Splitting, Visitor, Workspace, decode};
use trailhound::object::Body;
use trailhound::record::Record;
use trailhound::record::context::Context;
use trailhound::record::parser::Parser;
use trailhound::tally::RejectReason;

const ROUNDS: usize = 7;
const PIECE_BYTES: usize = 256 << 10;

fn main() {
    for (n_files, n_records) in [(100, 1_000), (6_000, 6)] {
        let trail = Trail::generate(n_files, n_records);
        trail.measure();
    }
}

/// A stage and its name; it may take the files away.
type Stage<'a> = (&'a str, Box<dyn FnMut(&mut [Vec<u8>]) -> usize + 'a>);

struct Trail {
    files: Vec<Vec<u8>>,
    n_records: usize,
    n_bytes: usize,
}

impl Trail {
    fn generate(n_files: usize, n_records: usize) -> Trail {
        let mut dice = Dice(7);
        let mut n_bytes = 0;
        let files = (0..n_files).map(|_| {
            let records: Vec<String> = (0..n_records).map(|_| record(&mut dice)).collect();
            let text = format!("{{\"Records\":[{}]}}", records.join(","));
            n_bytes += text.len();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(text.as_bytes()).expect("a vector takes everything");
            encoder.finish().expect("a vector takes everything")
        });
        Trail { files: files.collect(), n_records: n_files * n_records, n_bytes }
    }

    fn measure(&self) {
        let n_packed: usize = self.files.iter().map(Vec::len).sum();
        println!(
            "{} records in {} files, {:.1} MB text, {:.1} MB gzip",
            self.n_records,
            self.files.len(),
            self.n_bytes as f64 / 1e6,
            n_packed as f64 / 1e6
        );
        let mut inflater = libdeflater::Decompressor::new();
        let mut out = vec![0; self.n_bytes];
        let mut pieces = Pieces::default();
        let mut stages: Vec<Stage<'_>> = vec![
            (
                "libdeflate, decode only",
                Box::new(move |files| {
                    files.iter().map(|f| inflater.gzip_decompress(f, &mut out).expect("valid")).sum()
                }),
            ),
            ("inflate in pieces", Box::new(move |files| files.iter().map(|f| pieces.inflate(f)).sum())),
        ];
        for (name, splitting, parses) in [
            ("+ split by guess", Splitting::Guess, false),
            ("+ split exactly", Splitting::Exact, false),
            ("+ split by guess, tape, record", Splitting::Guess, true),
        ] {
            let mut workspace = Workspace::default();
            let mut counter = Counter { parses, ..Counter::default() };
            stages.push((
                name,
                Box::new(move |files| {
                    counter.n = 0;
                    for file in files {
                        let body = Body::Whole(std::mem::take(file));
                        decode(body, &Limits::default(), splitting, &mut workspace, &mut counter);
                    }
                    assert_eq!(counter.n, self.n_records);
                    counter.n
                }),
            ));
        }
        self.run(&mut stages);
    }

    fn run(&self, stages: &mut [Stage<'_>]) {
        let mut best = vec![f64::INFINITY; stages.len()];
        for _ in 0..ROUNDS {
            for ((_, stage), best) in stages.iter_mut().zip(&mut best) {
                let mut files = self.files.clone();
                let start = cpu_seconds();
                black_box(stage(&mut files));
                *best = best.min(cpu_seconds() - start);
            }
        }
        for ((name, _), seconds) in stages.iter().zip(&best) {
            println!(
                "  {name:<32} {:>10.0} records/s {:>7.0} MB/s {:>6.3} us/record {:>5.2} x",
                self.n_records as f64 / seconds,
                self.n_bytes as f64 / 1e6 / seconds,
                seconds * 1e6 / self.n_records as f64,
                seconds / best[0]
            );
        }
    }
}

/// CPU time of this thread where the system tells it, else time.
fn cpu_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    thread_local!(static START: Instant = Instant::now());
    nanos.map_or_else(|| START.with(|s| s.elapsed().as_secs_f64()), |n| n / 1e9)
}

/// The inflater alone, as decoding uses it.
struct Pieces {
    inflate: Decompress,
    out: Vec<u8>,
}

impl Default for Pieces {
    fn default() -> Self {
        Pieces { inflate: Decompress::new(false), out: vec![0; PIECE_BYTES] }
    }
}

impl Pieces {
    fn inflate(&mut self, file: &[u8]) -> usize {
        self.inflate.reset(false);
        let mut crc = Crc::new();
        loop {
            let (read, written) = (self.inflate.total_in() as usize, self.inflate.total_out());
            let status = self.inflate.decompress(&file[10 + read..], &mut self.out, FlushDecompress::None);
            crc.update(&self.out[..(self.inflate.total_out() - written) as usize]);
            if status.expect("valid") == Status::StreamEnd {
                black_box(crc.sum());
                return self.inflate.total_out() as usize;
            }
        }
    }
}

/// Counts records, parsing them or not.
#[derive(Default)]
struct Counter {
    n: usize,
    parses: bool,
    parser: Parser,
    context: Context,
}

impl Visitor for Counter {
    fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
        let Counter { n, parses, parser, context } = self;
        *n += 1;
        if !*parses {
            black_box(raw);
            return Ok(());
        }
        parser.with(raw, |root| {
            let record = Record::new(root?, context, None);
            if record.looks_like_a_record() { Ok(()) } else { Err(RejectReason::NotARecord) }
        })
    }

    fn reject(&mut self, reject: Reject) {
        panic!("{reject:?}");
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn base64(&mut self, length: usize) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..length).map(|_| char::from(DIGITS[self.roll(64) as usize])).collect()
    }

    fn uuid(&mut self) -> String {
        let [a, b] = [self.roll(u64::MAX), self.roll(u64::MAX)];
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }
}

/// A record of the size (1.66 KB) and the compressibility (about one to nine) that real trails have: calls of roles
/// on a storage bucket and its key.
fn record(dice: &mut Dice) -> String {
    const NAMES: [&str; 6] =
        ["PutObject", "GetObject", "GetBucketAcl", "GenerateDataKey", "Decrypt", "HeadBucket"];
    let (role, name) = (dice.roll(40), NAMES[dice.roll(6) as usize]);
    let (hour, minute, second) = (dice.roll(24), dice.roll(60), dice.roll(60));
    let (id, request, key) = (dice.uuid(), dice.uuid(), dice.uuid());
    let (host_id, bytes) = (dice.base64(76), dice.roll(100_000));
    let access_key = &dice.base64(16).to_uppercase();
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE{role:010}:i-0{role:016x}","arn":"arn:aws:sts::123456789012:assumed-role/service-role-{role}/i-0{role:016x}","accountId":"123456789012","accessKeyId":"ASIA{access_key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{role:010}","arn":"arn:aws:iam::123456789012:role/service-role-{role}","accountId":"123456789012","userName":"service-role-{role}"}},"attributes":{{"creationDate":"2026-01-01T{hour:02}:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2026-01-01T{hour:02}:{minute:02}:{second:02}Z","eventSource":"s3.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"10.0.{}.{}","userAgent":"[aws-sdk-java/1.12.{role} Linux/5.10.0 OpenJDK_64-Bit_Server_VM/17.0.9]","requestParameters":{{"bucketName":"bucket-{role}","Host":"bucket-{role}.s3.eu-west-1.amazonaws.com","key":"data/2026/01/01/{key}.parquet"}},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":{bytes},"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{host_id}","bytesTransferredOut":0}},"requestID":"{request}","eventID":"{id}","readOnly":false,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket-{role}/data/2026/01/01/{key}.parquet"}},{{"accountId":"123456789012","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::bucket-{role}"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"123456789012","eventCategory":"Data"}}"#,
        dice.roll(16),
        dice.roll(250),
    )
}
