//! What happens in planted scenarios, call by call: those that a behaviour gives away.

use super::plant::{Beat, Plot, Scenario, Who};
use super::plots_more as more;

/// A machine of an intruder, with a common program on it: no tool gives itself away by name.
pub(super) const CLI: &str = "aws-cli/2.15.30 md/awscrt#0.19.19 ua/2.0 os/linux#6.5.0-21-generic md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off";
pub(super) const BOTO: &str = "Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.5.0-21-generic md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.69";
pub(super) const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

pub(super) const fn lead(source: &'static str, name: &'static str) -> Beat {
    Beat::new(Who::Lead, source, name)
}

pub(super) const fn asks(source: &'static str, name: &'static str) -> Beat {
    lead(source, name).reads()
}

const LOOKS: [(&str, &str); 21] = [
    ("sts", "GetCallerIdentity"),
    ("s3", "ListBuckets"),
    ("iam", "ListUsers"),
    ("iam", "ListRoles"),
    ("iam", "ListAttachedUserPolicies"),
    ("iam", "GetAccountSummary"),
    ("iam", "ListGroups"),
    ("iam", "ListAccessKeys"),
    ("ec2", "DescribeInstances"),
    ("ec2", "DescribeRegions"),
    ("ec2", "DescribeVpcs"),
    ("ec2", "DescribeSecurityGroups"),
    ("ec2", "DescribeSnapshots"),
    ("secretsmanager", "ListSecrets"),
    ("ssm", "DescribeParameters"),
    ("lambda", "ListFunctions20150331"),
    ("rds", "DescribeDBInstances"),
    ("ses", "GetSendQuota"),
    ("ses", "ListIdentities"),
    ("organizations", "DescribeOrganization"),
    ("kms", "ListKeys"),
];

/// The plot of a scenario.
pub(super) fn of(scenario: Scenario) -> Plot {
    use Scenario::*;
    let plot = |leads, ip, agent, beats| Plot { leads, ip, agent, beats };
    match scenario {
        B02Region => plot(&["Developer", "sync"], "203.0.113.17", CLI, region()),
        B03Spray => plot(&["legacy"], "203.0.113.31", BROWSER, spray()),
        B04Denied => plot(&["fn", "sync"], "203.0.113.42", CLI, denied()),
        B05Hosts => plot(&["Operations", "Platform"], "203.0.113.50", CLI, hosts()),
        B06Recon => plot(&["sync", "Developer"], "203.0.113.61", BOTO, recon()),
        B07Secrets => plot(&["task", "fn"], "203.0.113.72", BOTO, secrets()),
        B08Destruction => plot(&["sync", "deploy"], "203.0.113.80", BOTO, destruction()),
        B09ForeignCaller => plot(&["monitoring-vendor"], "203.0.113.93", CLI, foreign_caller()),
        B11Network => plot(&["Developer", "Platform"], "203.0.113.104", CLI, network()),
        B12Instance => plot(&["instance"], "203.0.113.115", CLI, instance()),
        B13aMining => plot(&["sync", "Developer"], "203.0.113.121", BOTO, mining()),
        B13bMail => plot(&["sync"], "203.0.113.122", CLI, mail()),
        B13cModels => plot(&["sync", "Developer"], "203.0.113.123", BOTO, models()),
        B14Dormant => plot(&["sync"], "203.0.113.140", CLI, dormant()),
        B16EntryPoint => plot(&["ci"], "203.0.113.160", CLI, entry_point()),
        B17Bypass => plot(&["task", "instance"], "203.0.113.170", BOTO, bypass()),
        B19Exfiltration => plot(&["DataScience", "sync"], "203.0.113.190", BOTO, exfiltration()),
        B20Silence => plot(&["Platform"], "", "", Vec::new()),
        _ => more::of(scenario),
    }
}

const MACHINES: &str = r#"{"instancesSet":{"items":[{"imageId":"ami-$x","minCount":4,"maxCount":4,"keyName":"k1"}]},"instanceType":"m7i.4xlarge"}"#;
const RAN: &str =
    r#"{"instancesSet":{"items":[{"instanceId":"i-$x","imageId":"ami-$x","instanceType":"m7i.4xlarge"}]}}"#;

fn region() -> Vec<Beat> {
    let there = "ap-southeast-1";
    vec![
        asks("ec2", "DescribeInstances").region(there),
        asks("ec2", "DescribeImages").region(there),
        lead("ec2", "CreateKeyPair").region(there).request(r#"{"keyName":"k1"}"#),
        lead("ec2", "CreateSecurityGroup").region(there).request(r#"{"groupName":"g1","vpcId":"$v"}"#),
        lead("ec2", "RunInstances").region(there).request(MACHINES).response(RAN).times(3),
    ]
}

fn spray() -> Vec<Beat> {
    let try_it = Beat::new(Who::Victim, "signin", "ConsoleLogin")
        .response(r#"{"ConsoleLogin":"Failure"}"#)
        .fails("", "Failed authentication");
    vec![
        try_it.times(24),
        lead("signin", "ConsoleLogin").response(r#"{"ConsoleLogin":"Success"}"#),
        asks("iam", "ListUsers"),
        asks("s3", "ListBuckets"),
    ]
}

fn denied() -> Vec<Beat> {
    let calls = [
        ("iam", "ListUsers"),
        ("iam", "ListRoles"),
        ("iam", "ListPolicies"),
        ("iam", "GetAccountAuthorizationDetails"),
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeVpcs"),
        ("rds", "DescribeDBInstances"),
        ("lambda", "ListFunctions20150331"),
        ("secretsmanager", "ListSecrets"),
        ("ssm", "DescribeParameters"),
        ("organizations", "DescribeOrganization"),
        ("ses", "GetSendQuota"),
        ("kms", "ListKeys"),
        ("sns", "ListTopics"),
        ("dynamodb", "ListTables"),
    ];
    calls.iter().map(|(source, name)| asks(source, name).denied()).collect()
}

fn hosts() -> Vec<Beat> {
    vec![
        asks("ec2", "DescribeInstances"),
        asks("ec2", "GetPasswordData").request(r#"{"instanceId":"i-$x"}"#).keeps().denied().times(14),
        asks("ec2", "DescribeInstanceAttribute")
            .request(r#"{"instanceId":"i-$x","attribute":"userData"}"#)
            .keeps()
            .denied()
            .times(8),
    ]
}

fn recon() -> Vec<Beat> {
    LOOKS.iter().map(|(source, name)| asks(source, name)).collect()
}

fn secrets() -> Vec<Beat> {
    vec![
        asks("secretsmanager", "ListSecrets"),
        asks("secretsmanager", "GetSecretValue").request(r#"{"secretId":"prod/$h"}"#).times(28),
        asks("ssm", "GetParametersByPath")
            .request(r#"{"path":"/","recursive":true,"withDecryption":true}"#)
            .times(2),
    ]
}

fn destruction() -> Vec<Beat> {
    vec![
        asks("s3", "ListBuckets"),
        lead("s3", "PutBucketVersioning").request(r#"{"bucketName":"$b","versioning":"","VersioningConfiguration":{"Status":"Suspended"}}"#),
        lead("s3", "PutBucketLifecycle").request(r#"{"bucketName":"$b","lifecycle":"","LifecycleConfiguration":{"Rule":{"ID":"x","Status":"Enabled","Expiration":{"Days":1}}}}"#),
        lead("s3", "DeleteObject").data().request(r#"{"bucketName":"$b","key":"orders/$u"}"#).times(120),
        lead("ec2", "DeleteSnapshot").request(r#"{"snapshotId":"snap-$x"}"#).times(20),
        lead("rds", "DeleteDBSnapshot").request(r#"{"dBSnapshotIdentifier":"nightly-$h"}"#).times(4),
        lead("kms", "ScheduleKeyDeletion").request(r#"{"keyId":"$Y","pendingWindowInDays":7}"#).times(2),
        lead("s3", "PutObject").data().request(r#"{"bucketName":"$b","key":"HOW_TO_RESTORE.txt"}"#),
    ]
}

fn foreign_caller() -> Vec<Beat> {
    vec![
        Beat::new(Who::Foreign, "sts", "AssumeRole").reads(),
        asks("ec2", "DescribeInstances"),
        asks("iam", "ListRoles"),
        asks("s3", "ListBuckets"),
        asks("rds", "DescribeDBSnapshots"),
    ]
}

fn network() -> Vec<Beat> {
    vec![
        asks("sts", "GetCallerIdentity"),
        asks("iam", "ListRoles"),
        asks("secretsmanager", "GetSecretValue").request(r#"{"secretId":"prod/$h"}"#).times(3),
        lead("iam", "CreateAccessKey")
            .request(r#"{"userName":"svc-$W-sync"}"#)
            .response(r#"{"accessKey":{"userName":"svc-$W-sync","accessKeyId":"$3","status":"Active"}}"#),
    ]
}

fn instance() -> Vec<Beat> {
    vec![
        asks("sts", "GetCallerIdentity"),
        asks("s3", "ListBuckets"),
        asks("ec2", "DescribeInstances"),
        asks("s3", "ListObjects").data().request(r#"{"list-type":"2","bucketName":"$b","prefix":""}"#),
        asks("s3", "GetObject")
            .data()
            .request(r#"{"bucketName":"$b","key":"$w/customers-$n.csv"}"#)
            .times(12),
    ]
}

fn mining() -> Vec<Beat> {
    let big = r#"{"instancesSet":{"items":[{"imageId":"ami-$x","minCount":8,"maxCount":8,"keyName":"k1"}]},"instanceType":"g5.12xlarge"}"#;
    let ran = r#"{"instancesSet":{"items":[{"instanceId":"i-$x","imageId":"ami-$x","instanceType":"g5.12xlarge"}]}}"#;
    vec![
        asks("servicequotas", "ListServiceQuotas"),
        lead("ec2", "CreateKeyPair").request(r#"{"keyName":"k1"}"#),
        lead("ec2", "CreateSecurityGroup").request(r#"{"groupName":"g1","vpcId":"$v"}"#).response(r#"{"groupId":"sg-$x"}"#),
        lead("ec2", "AuthorizeSecurityGroupIngress").request(r#"{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]}}]}}"#),
        lead("ec2", "RunInstances").request(big).response(ran).times(4),
        lead("ec2", "RunInstances").request(big).fails("Client.VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit").times(3),
        lead("ecs", "RegisterTaskDefinition").request(r#"{"family":"w","cpu":"16384","memory":"32768"}"#),
        lead("ecs", "RunTask").request(r#"{"cluster":"main","taskDefinition":"w:1","count":10}"#),
    ]
}

fn mail() -> Vec<Beat> {
    vec![
        asks("sts", "GetCallerIdentity"),
        asks("ses", "GetSendQuota"),
        asks("ses", "GetAccount"),
        asks("ses", "ListIdentities"),
        asks("ses", "GetAccountSendingEnabled"),
        lead("ses", "PutAccountDetails").request(r#"{"productionAccessEnabled":true}"#),
        lead("ses", "VerifyEmailIdentity").request(r#"{"emailAddress":"billing@example.net"}"#).times(2),
        lead("ses", "UpdateAccountSendingEnabled").request(r#"{"enabled":true}"#),
        lead("ses", "SendEmail").times(6),
    ]
}

fn models() -> Vec<Beat> {
    vec![
        asks("bedrock", "ListFoundationModels"),
        asks("bedrock", "GetUseCaseForModelAccess"),
        asks("bedrock", "GetFoundationModelAvailability")
            .request(r#"{"modelId":"anthropic.claude-opus"}"#)
            .times(2),
        asks("bedrock", "GetModelInvocationLoggingConfiguration"),
        lead("bedrock", "InvokeModel").request(r#"{"modelId":"anthropic.claude-opus"}"#).denied().times(3),
        lead("bedrock", "InvokeModel").request(r#"{"modelId":"anthropic.claude-sonnet"}"#).denied().times(2),
        lead("bedrock", "PutUseCaseForModelAccess"),
        asks("bedrock", "ListFoundationModelAgreementOffers"),
        lead("bedrock", "CreateFoundationModelAgreement"),
        lead("bedrock", "PutFoundationModelEntitlement"),
        lead("bedrock", "InvokeModel").request(r#"{"modelId":"anthropic.claude-opus"}"#).times(80),
        lead("bedrock", "InvokeModelWithResponseStream")
            .request(r#"{"modelId":"meta.llama3-70b"}"#)
            .times(20),
    ]
}

/// What a key does that wakes; [`super::plant`] gives it its past.
fn dormant() -> Vec<Beat> {
    vec![
        asks("sts", "GetCallerIdentity"),
        asks("s3", "ListBuckets"),
        asks("iam", "ListUsers").denied(),
        asks("ec2", "DescribeInstances"),
    ]
}

fn entry_point() -> Vec<Beat> {
    vec![
        asks("sts", "GetCallerIdentity"),
        asks("ecr", "DescribeRepositories"),
        asks("secretsmanager", "GetSecretValue").request(r#"{"secretId":"$w/build-$X"}"#),
        asks("lambda", "GetFunction20150331v2").request(r#"{"functionName":"$w-handler"}"#).times(3),
        lead("lambda", "UpdateFunctionCode20150331v2")
            .request(r#"{"functionName":"$w-handler","publish":true}"#),
    ]
}

fn bypass() -> Vec<Beat> {
    vec![
        asks("s3", "GetObject")
            .data()
            .request(r#"{"bucketName":"$b","key":"$w/dt=$d/part-$n.parquet"}"#)
            .times(8),
        asks("secretsmanager", "GetSecretValue")
            .request(r#"{"secretId":"arn:aws:secretsmanager:$r:$a:secret:$w/db-$X"}"#)
            .times(2),
        asks("kms", "Decrypt").request(r#"{"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#).times(4),
    ]
}

fn exfiltration() -> Vec<Beat> {
    vec![
        asks("s3", "ListBuckets"),
        asks("s3", "ListObjects")
            .data()
            .request(r#"{"list-type":"2","bucketName":"$B","prefix":""}"#)
            .times(12),
        asks("s3", "GetObject").data().request(r#"{"bucketName":"$B","key":"customers/$u.csv"}"#).times(900),
    ]
}
