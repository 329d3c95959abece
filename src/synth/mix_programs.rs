//! The calls of services and programs: nearly all of a trail.

use super::frame::Kind;
use super::mix::{Raw, S3_DATA, S3_READ};

const LOG_OBJECT: &str = r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::$L/AWSLogs/$a/CloudTrail/$r/$D/$a_CloudTrail_$r_$T_$z.json.gz"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$L"}]"#;
const LOG_KEY: &str = r#"[{"accountId":"$a","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$r:$a:key/$Y"}]"#;
const OWN_KEY: &str = r#"[{"accountId":"$a","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$r:$a:key/$y"}]"#;
const OWN_BUCKET: &str = r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$b"}]"#;
const OWN_PREFIX: &str = r#"[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::$b/$w/"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$b"}]"#;
const ENCRYPTED: &str = r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:$r:$a:key/$y","x-amz-version-id":"$V"}"#;
const LOG_ENCRYPTED: &str = r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:$r:$a:key/$Y","x-amz-expiration":"expiry-date=\"Wed, 03 Mar 2027 00:00:00 GMT\", rule-id=\"keep-logs-for-a-year\""}"#;
const ASSUMED: &str = r#"{"credentials":{"accessKeyId":"ASIA$A","sessionToken":"IQoJb3JpZ2luX2VjE$Q","expiration":"$e"},"assumedRoleUser":{"assumedRoleId":"AROA5KXWJ2N7QGD4MZVTE:i-$x","arn":"arn:aws:sts::$a:assumed-role/$W-batch-instance/i-$x"}}"#;

/// What AWS's services do for themselves, log delivery above all.
pub(crate) fn services() -> Vec<Raw> {
    vec![
        Raw::new("s3", "PutObject", 4_550)
            .kind(Kind::Data)
            .writes()
            .by("cloudtrail.amazonaws.com")
            .request(r#"{"bucketName":"$L","Host":"$L.s3.$r.amazonaws.com","x-amz-acl":"bucket-owner-full-control","x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:$r:$a:key/$Y","key":"AWSLogs/$a/CloudTrail/$r/$D/$a_CloudTrail_$r_$T_$z.json.gz"}"#)
            .response(LOG_ENCRYPTED)
            .additional(S3_DATA)
            .resources(LOG_OBJECT)
            .fails(100, "SlowDown", "Please reduce your request rate."),
        Raw::new("s3", "GetBucketAcl", 3_060)
            .by("cloudtrail.amazonaws.com")
            .request(r#"{"bucketName":"$L","Host":"$L.s3.$r.amazonaws.com","acl":""}"#)
            .additional(S3_READ)
            .resources(r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$L"}]"#)
            .fails(400, "SlowDown", "Please reduce your request rate."),
        Raw::new("kms", "GenerateDataKey", 2_320)
            .by("cloudtrail.amazonaws.com")
            .request(r#"{"encryptionContext":{"aws:cloudtrail:arn":"arn:aws:cloudtrail:$r:$a:trail/org-trail","aws:s3:arn":"arn:aws:s3:::$L/AWSLogs/$a/CloudTrail/$r/$D/$a_CloudTrail_$r_$T_$z.json.gz"},"keyId":"arn:aws:kms:$r:$a:key/$Y","keySpec":"AES_256"}"#)
            .resources(LOG_KEY)
            .fails(100, "ThrottlingException", "Rate exceeded"),
        Raw::new("sts", "AssumeRole", 16)
            .by("ec2.amazonaws.com")
            .request(r#"{"roleArn":"arn:aws:iam::$a:role/$W-batch-instance","roleSessionName":"i-$x"}"#)
            .response(ASSUMED)
            .resources(r#"[{"accountId":"$a","type":"AWS::IAM::Role","ARN":"arn:aws:iam::$a:role/$W-batch-instance"}]"#),
        Raw::new("sts", "AssumeRole", 4)
            .by("config.amazonaws.com")
            .request(r#"{"roleArn":"arn:aws:iam::$a:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig","roleSessionName":"AWSConfig-Describe","durationSeconds":3600}"#)
            .response(ASSUMED),
        Raw::new("kms", "Decrypt", 40)
            .by("logs.amazonaws.com")
            .request(r#"{"encryptionContext":{"aws:logs:arn":"arn:aws:logs:$r:$a:log-group:/app/$W"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#)
            .resources(LOG_KEY),
        Raw::new("kms", "RotateKey", 1)
            .kind(Kind::Service)
            .writes()
            .by("kms.amazonaws.com")
            .resources(LOG_KEY),
        Raw::new("secretsmanager", "RotationSucceeded", 1)
            .kind(Kind::Service)
            .writes()
            .by("secretsmanager.amazonaws.com"),
        Raw::new("ec2", "CreateNetworkInterface", 6)
            .writes()
            .by("elasticloadbalancing.amazonaws.com")
            .request(r#"{"subnetId":"$s","description":"ELB app/$W-alb/$h$h","groupSet":{"items":[{"groupId":"$g"}]},"privateIpAddressesSet":{}}"#)
            .response(r#"{"requestId":"$u","networkInterface":{"networkInterfaceId":"eni-$x","subnetId":"$s","vpcId":"$v","ownerId":"$a","status":"pending","sourceDestCheck":true}}"#),
    ]
}

/// What programs do with objects, keys, secrets and queues.
pub(crate) fn programs() -> Vec<Raw> {
    let mut raws = storage();
    raws.extend(keys_and_secrets());
    raws
}

const BUCKET_HOST: &str = "$b.s3.$r.amazonaws.com";

fn storage() -> Vec<Raw> {
    vec![
        Raw::new("s3", "PutObject", 6_600)
            .kind(Kind::Data)
            .writes()
            .request(r#"{"bucketName":"$b","Host":"$b.s3.$r.amazonaws.com","key":"$w/dt=$d/part-$n-$u.parquet","x-amz-server-side-encryption":"aws:kms"}"#)
            .response(ENCRYPTED)
            .additional(S3_DATA)
            .resources(OWN_PREFIX)
            .host(BUCKET_HOST)
            .fails(500, "SlowDown", "Please reduce your request rate."),
        Raw::new("s3", "GetObject", 1_500)
            .kind(Kind::Data)
            .request(r#"{"bucketName":"$b","Host":"$b.s3.$r.amazonaws.com","key":"$w/dt=$d/part-$n-$h.parquet"}"#)
            .additional(S3_READ)
            .resources(OWN_PREFIX)
            .host(BUCKET_HOST)
            .fails(1_500, "NoSuchKey", "The specified key does not exist."),
        Raw::new("s3", "HeadBucket", 430)
            .request(r#"{"bucketName":"$b","Host":"$b.s3.$r.amazonaws.com"}"#)
            .additional(S3_READ)
            .resources(OWN_BUCKET)
            .host(BUCKET_HOST)
            .fails(1_500, "NoSuchBucket", "The specified bucket does not exist"),
        Raw::new("s3", "ListObjects", 60)
            .kind(Kind::Data)
            .request(r#"{"list-type":"2","bucketName":"$b","prefix":"$w/dt=$d/","encoding-type":"url","Host":"$b.s3.$r.amazonaws.com"}"#)
            .additional(S3_READ)
            .resources(OWN_BUCKET)
            .host(BUCKET_HOST),
        Raw::new("s3", "DeleteObject", 12)
            .kind(Kind::Data)
            .writes()
            .request(r#"{"bucketName":"$b","Host":"$b.s3.$r.amazonaws.com","key":"$w/tmp/$u"}"#)
            .additional(S3_READ)
            .resources(OWN_PREFIX)
            .host(BUCKET_HOST),
    ]
}

fn keys_and_secrets() -> Vec<Raw> {
    vec![
        Raw::new("kms", "Decrypt", 1_380)
            .request(r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$b"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#)
            .resources(OWN_KEY)
            .fails(600, "ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."),
        Raw::new("secretsmanager", "GetSecretValue", 60)
            .request(r#"{"secretId":"arn:aws:secretsmanager:$r:$a:secret:$w/db-$X"}"#)
            .fails(300, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
        Raw::new("ssm", "GetParameter", 70)
            .request(r#"{"name":"/$w/config/endpoint","withDecryption":true}"#)
            .resources(r#"[{"accountId":"$a","ARN":"arn:aws:ssm:$r:$a:parameter/$w/config/endpoint"}]"#)
            .fails(400, "ParameterNotFound", ""),
        Raw::new("ssm", "PutParameter", 8)
            .writes()
            .request(r#"{"name":"/$w/state/cursor","type":"String","overwrite":true,"value":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#)
            .response(r#"{"version":$n,"tier":"Standard"}"#),
        Raw::new("sts", "GetCallerIdentity", 20).response("null"),
        Raw::new("dynamodb", "DescribeTable", 30)
            .request(r#"{"tableName":"$w-state"}"#)
            .resources(r#"[{"accountId":"$a","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:$r:$a:table/$w-state"}]"#),
        Raw::new("logs", "CreateLogStream", 50)
            .writes()
            .request(r#"{"logGroupName":"/app/$w","logStreamName":"$d/$H"}"#)
            .fails(800, "ResourceAlreadyExistsException", "The specified log stream already exists"),
        Raw::new("ec2", "DescribeTags", 30)
            .request(r#"{"maxResults":1000,"filterSet":{"items":[{"name":"resource-id","valueSet":{"items":[{"value":"$i"}]}}]},"tagSet":{}}"#)
            .fails(500, "Client.RequestLimitExceeded", "Request limit exceeded."),
        Raw::new("ssm", "UpdateInstanceInformation", 40)
            .writes()
            .request(r#"{"instanceId":"$i","agentVersion":"3.3.2299.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.4.17","computerName":"ip-10-0-4-17.ec2.internal","agentName":"amazon-ssm-agent"}"#),
    ]
}
