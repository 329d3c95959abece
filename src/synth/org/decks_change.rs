//! Calls that change something, or touch what is guarded: what attacks look like, made for good reasons.

use super::decks::Deck;
use crate::synth::frame::Kind;
use crate::synth::mix::{Raw, S3_DATA, S3_READ};

const fn write(source: &'static str, name: &'static str, weight: u64) -> Raw {
    Raw::new(source, name, weight).writes()
}

/// The changes of a deck.
pub(super) fn of(deck: Deck) -> Vec<Raw> {
    match deck {
        Deck::Buckets => buckets(),
        Deck::DevChanges => dev_changes(),
        Deck::HostChanges => host_changes(),
        Deck::HelpDesk => help_desk(),
        Deck::Analysis => analysis(),
        Deck::Training => training(),
        Deck::Infrastructure => infrastructure(),
        Deck::Permissions => permissions(),
        Deck::Previews => previews(),
        Deck::Build => build(),
        Deck::OwnSecrets => own_secrets(),
        Deck::Agents => agents(),
        Deck::Functions => functions(),
        Deck::Backups => backups(),
        Deck::Exports => exports(),
        Deck::Rotation => rotation(),
        Deck::Broker => broker(),
        _ => Vec::new(),
    }
}

const NOT_ALLOWED: &str =
    "User: $U is not authorized to perform this operation because no identity-based policy allows it";
const BUCKET: &str = r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$B"}]"#;

fn buckets() -> Vec<Raw> {
    let look = |name, weight, request: &'static str| {
        Raw::new("s3", name, weight)
            .request(request)
            .additional(S3_READ)
            .resources(BUCKET)
            .host("$B.s3.$r.amazonaws.com")
            .refused(200, NOT_ALLOWED)
    };
    vec![
        look("GetBucketLocation", 40, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","location":""}"#),
        look("GetBucketVersioning", 30, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","versioning":""}"#),
        look("GetBucketPolicy", 30, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","policy":""}"#),
        look("GetBucketAcl", 20, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","acl":""}"#),
        look("GetBucketLifecycle", 20, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","lifecycle":""}"#),
        look("GetBucketTagging", 20, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","tagging":""}"#),
        look("GetBucketPublicAccessBlock", 20, r#"{"publicAccessBlock":"","bucketName":"$B","Host":"$B.s3.$r.amazonaws.com"}"#),
        look("ListObjects", 60, r#"{"list-type":"2","bucketName":"$B","prefix":"","delimiter":"/","Host":"$B.s3.$r.amazonaws.com"}"#).kind(Kind::Data),
        look("GetObject", 70, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","key":"$W/dt=$d/part-$n.parquet"}"#).kind(Kind::Data),
        Raw::new("s3", "ListBuckets", 30).request(r#"{"Host":"s3.$r.amazonaws.com"}"#).additional(S3_READ).host("s3.$r.amazonaws.com"),
    ]
}

fn dev_changes() -> Vec<Raw> {
    vec![
        write("lambda", "UpdateFunctionCode20150331v2", 30)
            .request(r#"{"functionName":"$W-handler","publish":false,"dryRun":false}"#)
            .response(r#"{"functionName":"$W-handler","functionArn":"arn:aws:lambda:$r:$a:function:$W-handler","runtime":"python3.13","version":"$n","state":"Active"}"#)
            .refused(300, NOT_ALLOWED),
        write("lambda", "UpdateFunctionConfiguration20150331v2", 12).request(r#"{"functionName":"$W-handler","timeout":60}"#),
        write("ecs", "UpdateService", 25).request(r#"{"service":"$W","cluster":"main","desiredCount":3}"#).refused(300, NOT_ALLOWED),
        write("codebuild", "StartBuild", 20).request(r#"{"projectName":"$W-build"}"#),
        write("cloudformation", "CreateChangeSet", 12).request(r#"{"stackName":"$W","changeSetName":"cs-$h"}"#),
        write("cloudformation", "ExecuteChangeSet", 8).request(r#"{"stackName":"$W","changeSetName":"cs-$h"}"#),
        write("ec2", "CreateTags", 15).request(r#"{"resourcesSet":{"items":[{"resourceId":"$i"}]},"tagSet":{"items":[{"key":"Owner","value":"$W"}]}}"#),
        write("ec2", "StopInstances", 8).request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]},"force":false}"#),
        write("ec2", "StartInstances", 8).request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
        // The developer's own address, for a while.
        write("ec2", "AuthorizeSecurityGroupIngress", 5)
            .request(r#"{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"ipRanges":{"items":[{"cidrIp":"192.0.2.10/32"}]}}]}}"#)
            .refused(1_500, NOT_ALLOWED),
        write("sqs", "PurgeQueue", 5).request(r#"{"queueUrl":"https://sqs.$r.amazonaws.com/$a/$W-dev"}"#),
        write("logs", "CreateLogGroup", 5).request(r#"{"logGroupName":"/app/$W-dev"}"#),
        Raw::new("secretsmanager", "GetSecretValue", 14).request(r#"{"secretId":"$W/dev-$X"}"#).refused(1_200, NOT_ALLOWED),
        Raw::new("ssm", "GetParameter", 20).request(r#"{"name":"/$W/dev/endpoint","withDecryption":true}"#),
        write("states", "StartExecution", 8).request(r#"{"stateMachineArn":"arn:aws:states:$r:$a:stateMachine:$W-nightly","name":"$h"}"#),
        write("dynamodb", "CreateTable", 2).request(r#"{"tableName":"$W-scratch-$h","billingMode":"PAY_PER_REQUEST"}"#).refused(1_000, NOT_ALLOWED),
        write("iam", "CreateRole", 1).request("null").refused(9_000, NOT_ALLOWED),
        write("ec2", "RunInstances", 3)
            .request(r#"{"instancesSet":{"items":[{"imageId":"ami-$x","minCount":1,"maxCount":1}]},"instanceType":"t4g.small","iamInstanceProfile":{"name":"$W-dev"}}"#)
            .response(r#"{"instancesSet":{"items":[{"instanceId":"i-$x","imageId":"ami-$x","instanceType":"t4g.small"}]}}"#)
            .fails(1_000, "Client.UnauthorizedOperation", "You are not authorized to perform this operation."),
    ]
}

fn host_changes() -> Vec<Raw> {
    vec![
        write("ssm", "StartSession", 40).request(r#"{"target":"$i"}"#),
        write("ssm", "TerminateSession", 30).request(r#"{"sessionId":"$k-$h"}"#),
        write("ssm", "SendCommand", 15)
            .request(r#"{"documentName":"AWS-RunShellScript","instanceIds":["$i"]}"#),
        write("ec2", "RebootInstances", 10).request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
        write("ec2", "StopInstances", 10)
            .request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]},"force":false}"#),
        write("ec2", "StartInstances", 10).request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
        write("ec2-instance-connect", "SendSSHPublicKey", 2)
            .request(r#"{"instanceId":"$i","instanceOSUser":"ec2-user"}"#),
        Raw::new("ec2", "GetPasswordData", 2).request(r#"{"instanceId":"$i"}"#),
        Raw::new("ec2", "DescribeInstanceAttribute", 6)
            .request(r#"{"instanceId":"$i","attribute":"userData"}"#),
        write("ec2", "CreateSnapshot", 6)
            .request(r#"{"volumeId":"$l","description":"before the change"}"#)
            .response(r#"{"snapshotId":"snap-$x","volumeId":"$l","status":"pending"}"#),
        write("ec2", "CreateImage", 3).request(r#"{"instanceId":"$i","name":"$W-$h"}"#),
        write("ec2", "AttachVolume", 3).request(r#"{"volumeId":"$l","instanceId":"$i","device":"/dev/sdf"}"#),
        write("rds", "RebootDBInstance", 3).request(r#"{"dBInstanceIdentifier":"$W-db"}"#),
        write("rds", "CreateDBSnapshot", 4)
            .request(r#"{"dBInstanceIdentifier":"$W-db","dBSnapshotIdentifier":"$W-$h"}"#),
        write("monitoring", "SetAlarmState", 3).request(r#"{"alarmName":"$W-errors","stateValue":"OK"}"#),
        write("autoscaling", "SetDesiredCapacity", 6)
            .request(r#"{"autoScalingGroupName":"$W","desiredCapacity":4}"#),
        write("autoscaling", "SuspendProcesses", 2).request(r#"{"autoScalingGroupName":"$W"}"#),
    ]
}

fn help_desk() -> Vec<Raw> {
    vec![
        Raw::new("iam", "GetUser", 300).request(r#"{"userName":"$W.user"}"#),
        Raw::new("iam", "ListMFADevices", 300).request(r#"{"userName":"$W.user"}"#),
        write("iam", "UpdateLoginProfile", 30).request(r#"{"userName":"$W.user","passwordResetRequired":true}"#),
        write("iam", "DeactivateMFADevice", 1).request(r#"{"userName":"$W.user","serialNumber":"arn:aws:iam::$a:mfa/$W.user"}"#),
        write("iam", "AddUserToGroup", 40).request(r#"{"userName":"$W.user","groupName":"developers"}"#),
        write("iam", "RemoveUserFromGroup", 30).request(r#"{"userName":"$W.user","groupName":"developers"}"#),
        write("iam", "CreateUser", 1).request(r#"{"userName":"contractor-$h"}"#).response(r#"{"user":{"path":"/","userName":"contractor-$h","userId":"AIDA$AQ","arn":"arn:aws:iam::$a:user/contractor-$h"}}"#),
        write("identitystore", "CreateGroupMembership", 80).request(r#"{"identityStoreId":"$I"}"#),
        write("sso", "CreateAccountAssignment", 50).request(r#"{"instanceArn":"arn:aws:sso:::instance/ssoins-$h","permissionSetArn":"arn:aws:sso:::permissionSet/ps-$h","targetId":"$a"}"#),
        write("support", "AddCommunicationToCase", 40),
    ]
}

fn analysis() -> Vec<Raw> {
    vec![
        Raw::new("guardduty", "GetFindings", 60).request(r#"{"detectorId":"$h"}"#),
        Raw::new("securityhub", "GetFindings", 60),
        write("guardduty", "ArchiveFindings", 3).request(r#"{"detectorId":"$h","findingIds":["$H"]}"#),
        write("guardduty", "CreateFilter", 1).request(
            r#"{"detectorId":"$h","name":"known-scanner-$n","action":"ARCHIVE","findingCriteria":{}}"#,
        ),
        write("securityhub", "BatchUpdateFindings", 20).request(r#"{"workflow":{"status":"RESOLVED"}}"#),
        Raw::new("iam", "GetCredentialReport", 8),
        write("iam", "GenerateCredentialReport", 6),
        Raw::new("iam", "GetAccountAuthorizationDetails", 6),
        Raw::new("iam", "SimulatePrincipalPolicy", 8).request(
            r#"{"policySourceArn":"arn:aws:iam::$a:role/$W-instance","actionNames":["s3:GetObject"]}"#,
        ),
        Raw::new("ec2", "DescribeInstanceAttribute", 5)
            .request(r#"{"instanceId":"$i","attribute":"userData"}"#),
        Raw::new("athena", "StartQueryExecution", 30).request(r#"{"workGroup":"security"}"#),
        Raw::new("cloudtrail", "LookupEvents", 30),
    ]
}

fn training() -> Vec<Raw> {
    vec![
        write("sagemaker", "CreateTrainingJob", 14).request(r#"{"trainingJobName":"$W-$h","roleArn":"arn:aws:iam::$a:role/sagemaker-execution","resourceConfig":{"instanceType":"ml.m5.xlarge","instanceCount":1}}"#),
        write("sagemaker", "StartNotebookInstance", 20).request(r#"{"notebookInstanceName":"$W-notebook"}"#),
        write("sagemaker", "StopNotebookInstance", 20).request(r#"{"notebookInstanceName":"$W-notebook"}"#),
        write("bedrock", "InvokeModel", 60).request(r#"{"modelId":"amazon.nova-lite-v1:0"}"#).refused(200, NOT_ALLOWED),
        write("bedrock", "InvokeModel", 20).request(r#"{"modelId":"anthropic.claude-3-haiku-20240307-v1:0"}"#).fails(400, "ValidationException", "Malformed input request"),
        write("glue", "StartJobRun", 20).request(r#"{"jobName":"$W-features"}"#),
        write("ec2", "RunInstances", 3)
            .request(r#"{"instancesSet":{"items":[{"imageId":"ami-$x","minCount":1,"maxCount":1}]},"instanceType":"g5.2xlarge","iamInstanceProfile":{"name":"training"}}"#)
            .response(r#"{"instancesSet":{"items":[{"instanceId":"i-$x","imageId":"ami-$x","instanceType":"g5.2xlarge"}]}}"#),
        write("ec2", "TerminateInstances", 3).request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
    ]
}

fn infrastructure() -> Vec<Raw> {
    vec![
        write("ec2", "CreateSecurityGroup", 100).request(r#"{"groupName":"$W-$h","groupDescription":"managed by terraform","vpcId":"$v"}"#).response(r#"{"groupId":"sg-$x"}"#),
        write("ec2", "AuthorizeSecurityGroupIngress", 140)
            .request(r#"{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]}}]}}"#),
        write("ec2", "RevokeSecurityGroupIngress", 80).request(r#"{"groupId":"$g"}"#),
        write("ec2", "CreateTags", 300).request(r#"{"resourcesSet":{"items":[{"resourceId":"$i"}]},"tagSet":{"items":[{"key":"ManagedBy","value":"terraform"}]}}"#),
        write("ec2", "RunInstances", 50)
            .request(r#"{"instancesSet":{"items":[{"imageId":"ami-$x","minCount":1,"maxCount":1}]},"instanceType":"m7g.large","iamInstanceProfile":{"name":"$W-instance"}}"#)
            .response(r#"{"instancesSet":{"items":[{"instanceId":"i-$x","imageId":"ami-$x","instanceType":"m7g.large"}]}}"#),
        write("ec2", "CreateLaunchTemplateVersion", 120).request(r#"{"CreateLaunchTemplateVersionRequest":{"LaunchTemplateName":"$W"}}"#),
        write("ec2", "DeleteSecurityGroup", 50).request(r#"{"groupId":"$g"}"#).fails(2_000, "Client.DependencyViolation", "resource has a dependent object"),
        write("ecs", "RegisterTaskDefinition", 220).request(r#"{"family":"$W","cpu":"512","memory":"1024"}"#),
        write("ecs", "UpdateService", 220).request(r#"{"service":"$W","cluster":"main","taskDefinition":"$W:$n"}"#),
        write("lambda", "UpdateFunctionConfiguration20150331v2", 100).request(r#"{"functionName":"$W-handler","memorySize":512}"#),
        write("lambda", "CreateFunction20150331", 40).request(r#"{"functionName":"$W-$h","runtime":"python3.13","role":"arn:aws:iam::$a:role/$W-fn"}"#),
        write("lambda", "AddPermission20150331v2", 50).request(r#"{"functionName":"$W-handler","statementId":"from-events","action":"lambda:InvokeFunction","principal":"events.amazonaws.com","sourceArn":"arn:aws:events:$r:$a:rule/$W-nightly"}"#),
        write("s3", "PutBucketVersioning", 40).request(r#"{"bucketName":"$B","versioning":"","VersioningConfiguration":{"Status":"Enabled"}}"#).resources(BUCKET).additional(S3_READ),
        write("s3", "PutBucketPolicy", 40).request(r#"{"bucketName":"$B","policy":"","bucketPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::$B/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}}"#).resources(BUCKET).additional(S3_READ),
        write("s3", "PutBucketPublicAccessBlock", 30).request(r#"{"bucketName":"$B","publicAccessBlock":"","PublicAccessBlockConfiguration":{"RestrictPublicBuckets":true,"BlockPublicPolicy":true,"BlockPublicAcls":true,"IgnorePublicAcls":true}}"#).resources(BUCKET).additional(S3_READ),
        write("s3", "PutBucketLifecycle", 30).request(r#"{"bucketName":"$B","lifecycle":"","LifecycleConfiguration":{"Rule":{"ID":"old","Status":"Enabled","Expiration":{"Days":90}}}}"#).resources(BUCKET).additional(S3_READ),
        write("monitoring", "PutMetricAlarm", 160).request(r#"{"alarmName":"$W-errors"}"#),
        write("monitoring", "DeleteAlarms", 40).request(r#"{"alarmNames":["$W-old"]}"#),
        write("logs", "PutRetentionPolicy", 80).request(r#"{"logGroupName":"/app/$W","retentionInDays":90}"#),
        write("events", "PutRule", 60).request(r#"{"name":"$W-nightly"}"#),
        write("route53", "ChangeResourceRecordSets", 100).request(r#"{"hostedZoneId":"Z$A"}"#),
        write("rds", "ModifyDBInstance", 40).request(r#"{"dBInstanceIdentifier":"$W-db","backupRetentionPeriod":14,"applyImmediately":false}"#),
        write("kms", "CreateKey", 10).request(r#"{"description":"$W"}"#),
        write("kms", "CreateAlias", 10).request(r#"{"aliasName":"alias/$W","targetKeyId":"$Y"}"#),
        write("cloudtrail", "UpdateTrail", 10)
            .request(r#"{"name":"arn:aws:cloudtrail:$r:$a:trail/org-trail","isMultiRegionTrail":true,"includeGlobalServiceEvents":true,"enableLogFileValidation":true}"#),
        write("ec2", "DeleteFlowLogs", 1).request(r#"{"DeleteFlowLogsRequest":{"FlowLogId":{"tag":1,"content":"fl-$x"}}}"#),
        write("config", "PutConfigRule", 20).request(r#"{"configRule":{"configRuleName":"$W-encrypted"}}"#),
    ]
}

fn permissions() -> Vec<Raw> {
    vec![
        write("iam", "CreateRole", 14)
            .request(r#"{"roleName":"$W-job-$h","assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ecs-tasks.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}"}"#)
            .response(r#"{"role":{"path":"/","roleName":"$W-job-$h","roleId":"AROA$AQ","arn":"arn:aws:iam::$a:role/$W-job-$h"}}"#)
            .refused(400, "User: $U is not authorized to perform: iam:CreateRole because no permissions boundary allows the iam:CreateRole action"),
        write("iam", "PutRolePolicy", 18)
            .request(r#"{"roleName":"$W-task","policyName":"own-data","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],\"Resource\":\"arn:aws:s3:::$W-data-$X/*\"}]}"}"#),
        write("iam", "AttachRolePolicy", 16).request(r#"{"roleName":"$W-task","policyArn":"arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"}"#),
        write("iam", "CreatePolicyVersion", 8)
            .request(r#"{"policyArn":"arn:aws:iam::$a:policy/$W-read","setAsDefault":true,"policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"dynamodb:GetItem\"],\"Resource\":\"arn:aws:dynamodb:$r:$a:table/$W-state\"}]}"}"#),
        write("iam", "DeletePolicyVersion", 6).request(r#"{"policyArn":"arn:aws:iam::$a:policy/$W-read","versionId":"v$n"}"#),
        write("iam", "DetachRolePolicy", 5).request(r#"{"roleName":"$W-task","policyArn":"arn:aws:iam::$a:policy/$W-read"}"#),
        write("iam", "DeleteRole", 4).request(r#"{"roleName":"$W-job-$h"}"#).fails(1_500, "DeleteConflictException", "Cannot delete entity, must detach all policies first."),
        write("iam", "UpdateAssumeRolePolicy", 3)
            .request(r#"{"roleName":"$W-task","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ecs-tasks.amazonaws.com\"},\"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":\"$a\"}}}]}"}"#),
        write("iam", "TagRole", 12).request(r#"{"roleName":"$W-task","tags":[{"key":"ManagedBy","value":"terraform"}]}"#),
        write("iam", "CreateInstanceProfile", 2).request(r#"{"instanceProfileName":"$W-$h"}"#),
    ]
}

fn previews() -> Vec<Raw> {
    vec![
        write("cloudformation", "CreateStack", 20).request(r#"{"stackName":"preview-$h","roleARN":"arn:aws:iam::$a:role/preview"}"#).response(r#"{"stackId":"arn:aws:cloudformation:$r:$a:stack/preview-$h/$u"}"#),
        write("cloudformation", "DeleteStack", 20).request(r#"{"stackName":"preview-$h"}"#),
        write("rds", "CreateDBInstance", 8).request(r#"{"dBInstanceIdentifier":"preview-$h","dBInstanceClass":"db.t4g.micro","engine":"postgres","publiclyAccessible":false}"#),
        write("rds", "DeleteDBInstance", 8).request(r#"{"dBInstanceIdentifier":"preview-$h","skipFinalSnapshot":true,"deleteAutomatedBackups":true}"#),
        write("s3", "DeleteBucket", 6).request(r#"{"bucketName":"preview-$h"}"#).additional(S3_READ),
        write("ecs", "RunTask", 12).request(r#"{"cluster":"preview","taskDefinition":"migrate:$n","overrides":{"taskRoleArn":"arn:aws:iam::$a:role/preview"}}"#),
        write("kms", "ScheduleKeyDeletion", 2).request(r#"{"keyId":"$Y","pendingWindowInDays":30}"#),
    ]
}

fn build() -> Vec<Raw> {
    vec![
        Raw::new("ecr", "GetAuthorizationToken", 30),
        write("ecr", "InitiateLayerUpload", 30).request(r#"{"repositoryName":"$w"}"#),
        write("ecr", "CompleteLayerUpload", 30).request(r#"{"repositoryName":"$w"}"#),
        write("ecr", "PutImage", 20).request(r#"{"repositoryName":"$w","imageTag":"$h"}"#),
        Raw::new("sts", "GetCallerIdentity", 20),
        write("lambda", "UpdateFunctionCode20150331v2", 16)
            .request(r#"{"functionName":"$w-handler","s3Key":"releases/$h.zip","publish":true}"#),
        write("ecs", "UpdateService", 16)
            .request(r#"{"service":"$w","cluster":"main","forceNewDeployment":true}"#),
        Raw::new("ecs", "DescribeServices", 40).request(r#"{"cluster":"main","services":["$w"]}"#),
        Raw::new("ssm", "GetParameter", 16).request(r#"{"name":"/$w/build/config","withDecryption":true}"#),
        write("s3", "PutObject", 24)
            .kind(Kind::Data)
            .request(r#"{"bucketName":"$b","key":"releases/$h.zip"}"#)
            .additional(S3_DATA),
        write("cloudfront", "CreateInvalidation", 4).request(r#"{"distributionId":"E$A"}"#),
        Raw::new("secretsmanager", "GetSecretValue", 8).request(r#"{"secretId":"$w/build-$X"}"#),
    ]
}

fn own_secrets() -> Vec<Raw> {
    vec![
        Raw::new("secretsmanager", "GetSecretValue", 40).request(r#"{"secretId":"arn:aws:secretsmanager:$r:$a:secret:$w/db-$X"}"#),
        Raw::new("secretsmanager", "GetSecretValue", 20).request(r#"{"secretId":"arn:aws:secretsmanager:$r:$a:secret:$w/api-$X"}"#),
        Raw::new("ssm", "GetParameters", 30).request(r#"{"names":["/$w/config/endpoint","/$w/config/flags"],"withDecryption":true}"#),
        Raw::new("ssm", "GetParametersByPath", 20).request(r#"{"path":"/$w/config","recursive":true,"withDecryption":true}"#),
        Raw::new("kms", "Decrypt", 60).request(r#"{"encryptionContext":{"PARAMETER_ARN":"arn:aws:ssm:$r:$a:parameter/$w/config"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#),
    ]
}

fn agents() -> Vec<Raw> {
    vec![
        write("ssm", "UpdateInstanceInformation", 60).request(r#"{"instanceId":"$k","agentVersion":"3.3.2299.0","platformType":"Linux","agentName":"amazon-ssm-agent"}"#),
        write("logs", "CreateLogStream", 30).request(r#"{"logGroupName":"/app/$w","logStreamName":"$d/$k"}"#).fails(800, "ResourceAlreadyExistsException", "The specified log stream already exists"),
        Raw::new("ssm", "ListInstanceAssociations", 40).request(r#"{"instanceId":"$k"}"#),
    ]
}

fn functions() -> Vec<Raw> {
    vec![
        write("logs", "CreateLogStream", 60)
            .request(r#"{"logGroupName":"/aws/lambda/$w-handler","logStreamName":"$d/$H"}"#),
        write("sqs", "SendMessage", 30).request(r#"{"queueUrl":"https://sqs.$r.amazonaws.com/$a/$w"}"#),
        write("sns", "Publish", 20).request(r#"{"topicArn":"arn:aws:sns:$r:$a:$w"}"#),
        write("states", "StartExecution", 10)
            .request(r#"{"stateMachineArn":"arn:aws:states:$r:$a:stateMachine:$w"}"#),
        write("events", "PutEvents", 16),
    ]
}

fn backups() -> Vec<Raw> {
    vec![
        Raw::new("ec2", "DescribeVolumes", 30),
        Raw::new("ec2", "DescribeSnapshots", 30).request(r#"{"ownersSet":{"items":[{"owner":"self"}]}}"#),
        write("ec2", "CreateSnapshot", 40)
            .request(r#"{"volumeId":"$l","description":"nightly"}"#)
            .response(r#"{"snapshotId":"snap-$x","volumeId":"$l","status":"pending"}"#),
        write("ec2", "DeleteSnapshot", 40).request(r#"{"snapshotId":"snap-$x"}"#).fails(
            300,
            "Client.InvalidSnapshot.InUse",
            "The snapshot is currently in use",
        ),
        write("rds", "CreateDBSnapshot", 12)
            .request(r#"{"dBInstanceIdentifier":"$W-db","dBSnapshotIdentifier":"nightly-$h"}"#),
        write("rds", "DeleteDBSnapshot", 12).request(r#"{"dBSnapshotIdentifier":"nightly-$h"}"#),
    ]
}

fn exports() -> Vec<Raw> {
    vec![
        write("dynamodb", "ExportTableToPointInTime", 10).request(r#"{"tableArn":"arn:aws:dynamodb:$r:$a:table/$w-state","s3Bucket":"$b"}"#),
        Raw::new("dynamodb", "DescribeExport", 30),
        write("rds", "StartExportTask", 6).request(r#"{"exportTaskIdentifier":"lake-$h","sourceArn":"arn:aws:rds:$r:$a:snapshot:nightly-$h","s3BucketName":"$b"}"#),
        Raw::new("glue", "GetPartitions", 40),
        write("glue", "BatchCreatePartition", 20).request(r#"{"databaseName":"lake","tableName":"$w"}"#),
        Raw::new("s3", "GetObject", 200).kind(Kind::Data).request(r#"{"bucketName":"$b","key":"$w/dt=$d/part-$n-$h.parquet"}"#).additional(S3_READ),
        write("s3", "PutObject", 200).kind(Kind::Data).request(r#"{"bucketName":"$b","key":"lake/dt=$d/part-$n-$h.parquet"}"#).additional(S3_DATA),
        write("s3", "DeleteObject", 60).kind(Kind::Data).request(r#"{"bucketName":"$b","key":"lake/tmp/$u"}"#).additional(S3_READ),
    ]
}

fn rotation() -> Vec<Raw> {
    vec![
        Raw::new("iam", "ListAccessKeys", 30).request(r#"{"userName":"svc-$W-sync"}"#),
        write("iam", "CreateAccessKey", 10)
            .request(r#"{"userName":"svc-$W-sync"}"#)
            .response(r#"{"accessKey":{"userName":"svc-$W-sync","accessKeyId":"AKIA$A","status":"Active"}}"#),
        write("iam", "UpdateAccessKey", 10)
            .request(r#"{"userName":"svc-$W-sync","accessKeyId":"AKIA$A","status":"Inactive"}"#),
        write("iam", "DeleteAccessKey", 10).request(r#"{"userName":"svc-$W-sync","accessKeyId":"AKIA$A"}"#),
        write("secretsmanager", "PutSecretValue", 10).request(r#"{"secretId":"$W/key-$X"}"#),
        write("secretsmanager", "UpdateSecretVersionStage", 10).request(r#"{"secretId":"$W/key-$X"}"#),
    ]
}

fn broker() -> Vec<Raw> {
    vec![
        write("sts", "GetFederationToken", 10)
            .request(r#"{"name":"partner-$W","durationSeconds":3600,"policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::$b/in/*\"}]}"}"#)
            .response(r#"{"credentials":{"accessKeyId":"ASIA$A","sessionToken":"IQoJb3JpZ2luX2VjE$Q","expiration":"$e"},"federatedUser":{"federatedUserId":"$a:partner-$W","arn":"arn:aws:sts::$a:federated-user/partner-$W"},"packedPolicySize":6}"#),
    ]
}

/// What posture scanners ask besides what others ask: every bucket's settings, and the user data of every host.
pub(super) fn scanned() -> Vec<Raw> {
    let bucket = |name, request: &'static str| {
        Raw::new("s3", name, 60).request(request).additional(S3_READ).resources(BUCKET)
    };
    vec![
        Raw::new("ec2", "DescribeInstanceAttribute", 40)
            .request(r#"{"instanceId":"i-$x","attribute":"userData"}"#),
        bucket("GetBucketPolicyStatus", r#"{"bucketName":"$B","policyStatus":""}"#),
        bucket("GetBucketEncryption", r#"{"bucketName":"$B","encryption":""}"#),
        bucket("GetBucketLogging", r#"{"bucketName":"$B","logging":""}"#),
        Raw::new("iam", "GetAccountAuthorizationDetails", 10),
        write("iam", "GenerateCredentialReport", 6),
        Raw::new("iam", "GetCredentialReport", 10),
        Raw::new("ses", "GetSendQuota", 6),
        Raw::new("ses", "ListIdentities", 6).fails(500, "Throttling", "Rate exceeded"),
    ]
}
