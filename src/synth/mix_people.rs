//! The calls of people, scanners and Terraform: few, and what detectors are about.

use super::frame::Kind;
use super::mix::{Raw, S3_READ};

/// Calls that look around. Two in a hundred of them fail.
pub(crate) fn readers() -> Vec<Raw> {
    let mut raws = compute();
    raws.extend(identity_and_secrets());
    raws.extend(everything_else());
    raws
}

const LIMITED: (&str, &str) = ("Client.RequestLimitExceeded", "Request limit exceeded.");
const UNAUTHORIZED: (&str, &str) = (
    "Client.UnauthorizedOperation",
    "You are not authorized to perform this operation. User: $U is not authorized to perform: ec2:DescribeImages because no identity-based policy allows the ec2:DescribeImages action",
);

fn compute() -> Vec<Raw> {
    let plain = |name, weight, request| {
        Raw::new("ec2", name, weight).request(request).fails(600, LIMITED.0, LIMITED.1)
    };
    vec![
        plain("DescribeInstances", 180, r#"{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"tag:Service","valueSet":{"items":[{"value":"$W"}]}}]}}"#),
        plain("DescribeInstanceStatus", 105, r#"{"instancesSet":{"items":[{"instanceId":"$i"}]},"filterSet":{},"includeAllInstances":true}"#),
        plain("DescribeTags", 95, r#"{"maxResults":1000,"filterSet":{"items":[{"name":"resource-id","valueSet":{"items":[{"value":"$i"}]}}]},"tagSet":{}}"#),
        plain("DescribeVolumes", 85, r#"{"volumeSet":{"items":[{"volumeId":"$l"}]},"filterSet":{}}"#),
        plain("DescribeVpcs", 90, r#"{"vpcSet":{"items":[{"vpcId":"$v"}]},"filterSet":{}}"#),
        plain("DescribeAddresses", 72, r#"{"publicIpsSet":{},"filterSet":{},"allocationIdsSet":{}}"#),
        plain("DescribeVolumeStatus", 69, r#"{"maxResults":1000,"volumeSet":{},"filterSet":{}}"#),
        plain("DescribeInstanceTypes", 69, r#"{"DescribeInstanceTypesRequest":{"Filter":{"tag":1,"Name":"instance-type","Value":{"tag":1,"content":"m7g.*"}},"MaxResults":100}}"#),
        plain("DescribeNetworkAcls", 52, r#"{"networkAclIdSet":{},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"$v"}]}}]}}"#),
        plain("DescribeDhcpOptions", 52, r#"{"dhcpOptionsSet":{},"filterSet":{}}"#),
        plain("DescribeRouteTables", 110, r#"{"routeTableIdSet":{},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"$v"}]}}]}}"#),
        plain("DescribeNatGateways", 36, r#"{"DescribeNatGatewaysRequest":{"Filter":{"tag":1,"Name":"vpc-id","Value":{"tag":1,"content":"$v"}}}}"#),
        plain("DescribeAccountAttributes", 46, r#"{"accountAttributeNameSet":{"items":[{"attributeName":"supported-platforms"}]},"filterSet":{}}"#),
        plain("DescribeInstanceAttribute", 39, r#"{"instanceId":"$i","attribute":"disableApiTermination"}"#),
        plain("DescribeNetworkInterfaces", 39, r#"{"networkInterfaceIdSet":{},"filterSet":{"items":[{"name":"group-id","valueSet":{"items":[{"value":"$g"}]}}]}}"#),
        plain("DescribeFlowLogs", 39, r#"{"DescribeFlowLogsRequest":""}"#),
        plain("DescribeAvailabilityZones", 40, r#"{"availabilityZoneSet":{},"availabilityZoneIdSet":{}}"#),
        plain("DescribeSubnets", 46, r#"{"subnetSet":{"items":[{"subnetId":"$s"}]},"filterSet":{}}"#),
        plain("DescribeSecurityGroups", 36, r#"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"$g"}]},"filterSet":{}}"#),
        plain("DescribeSnapshots", 20, r#"{"maxResults":100,"snapshotSet":{},"ownersSet":{"items":[{"owner":"self"}]},"sharedUsersSet":{},"filterSet":{}}"#),
        Raw::new("ec2", "DescribeImages", 26)
            .request(r#"{"imagesSet":{},"ownersSet":{"items":[{"owner":"amazon"}]},"executableBySet":{},"filterSet":{}}"#)
            .fails(300, UNAUTHORIZED.0, UNAUTHORIZED.1),
    ]
}

const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15";

fn identity_and_secrets() -> Vec<Raw> {
    const NOT_ALLOWED: &str = "User: $U is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::$a:user/ because no identity-based policy allows the iam:ListUsers action";
    vec![
        Raw::new("kms", "DescribeKey", 40)
            .request(r#"{"keyId":"arn:aws:kms:$r:$a:key/$Y"}"#)
            .resources(r#"[{"accountId":"$a","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$r:$a:key/$Y"}]"#),
        Raw::new("iam", "ListRoles", 30).request(r#"{"maxItems":1000}"#),
        Raw::new("iam", "ListUsers", 25).request("null").refused(200, NOT_ALLOWED),
        Raw::new("iam", "GetUser", 60)
            .request(r#"{"userName":"svc-$W-sync"}"#)
            .fails(500, "NoSuchEntityException", "The user with name svc-$W-sync cannot be found."),
        Raw::new("iam", "GetRole", 30).request(r#"{"roleName":"$W-instance"}"#),
        Raw::new("iam", "ListAttachedRolePolicies", 30).request(r#"{"roleName":"$W-instance"}"#),
        Raw::new("iam", "ListRolePolicies", 25).request(r#"{"roleName":"$W-task"}"#),
        Raw::new("iam", "GetAccountSummary", 12),
        Raw::new("iam", "GetAccountPasswordPolicy", 6),
        Raw::new("sts", "GetCallerIdentity", 20),
        Raw::new("ssm", "DescribeParameters", 70).request(r#"{"maxResults":50,"parameterFilters":[{"key":"Name","option":"BeginsWith","values":["/$W/"]}]}"#),
        Raw::new("ssm", "ListTagsForResource", 45).request(r#"{"resourceType":"Parameter","resourceId":"/$W/config/endpoint"}"#),
        Raw::new("ssm", "DescribeInstanceInformation", 18).request(r#"{"maxResults":50}"#),
        Raw::new("secretsmanager", "DescribeSecret", 20).request(r#"{"secretId":"$W/db-$X"}"#),
        Raw::new("secretsmanager", "GetResourcePolicy", 22).request(r#"{"secretId":"$W/db-$X"}"#),
        Raw::new("secretsmanager", "ListSecrets", 12).request(r#"{"maxResults":20,"sortOrder":"asc"}"#),
        Raw::new("sso", "ListAccountRoles", 60).stranger(
            r#"{"type":"IdentityCenterUser","accountId":"$a","onBehalfOf":{"userId":"$Y","identityStoreArn":"arn:aws:identitystore::$a:identitystore/$I"},"credentialId":"$u"}"#,
            "192.0.2.10",
            BROWSER,
        ),
        // The owner of the account looks at the bill, with a second factor, and changes nothing.
        Raw::new("iam", "GetAccountSummary", 5).stranger(
            r#"{"type":"Root","principalId":"$a","arn":"arn:aws:iam::$a:root","accountId":"$a","accessKeyId":"","sessionContext":{"attributes":{"creationDate":"$C","mfaAuthenticated":"true"}}}"#,
            "192.0.2.10",
            BROWSER,
        ),
    ]
}

fn everything_else() -> Vec<Raw> {
    let bucket = |name, weight, key: &'static str| {
        Raw::new("s3", name, weight)
            .request(key)
            .additional(S3_READ)
            .resources(r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$B"}]"#)
            .host("$B.s3.$r.amazonaws.com")
    };
    vec![
        Raw::new("cloudtrail", "GetTrailStatus", 66).request(r#"{"name":"arn:aws:cloudtrail:$r:$a:trail/org-trail"}"#),
        Raw::new("cloudtrail", "DescribeTrails", 66).request(r#"{"includeShadowTrails":true,"trailNameList":[]}"#),
        Raw::new("cloudtrail", "LookupEvents", 46)
            .request(r#"{"maxResults":50,"lookupAttributes":[{"attributeKey":"ReadOnly","attributeValue":"false"}]}"#)
            .fails(900, "ThrottlingException", "Rate exceeded"),
        Raw::new("cloudtrail", "GetEventSelectors", 26).request(r#"{"trailName":"arn:aws:cloudtrail:$r:$a:trail/org-trail"}"#),
        Raw::new("resource-groups", "ListGroups", 52),
        Raw::new("lambda", "ListFunctions20150331", 46).request(r#"{"maxItems":50}"#),
        Raw::new("lambda", "GetFunction20150331v2", 20).request(r#"{"functionName":"$W-handler"}"#),
        Raw::new("compute-optimizer", "GetEnrollmentStatus", 46),
        Raw::new("monitoring", "DescribeAlarms", 36).request(r#"{"maxRecords":100,"stateValue":"ALARM"}"#),
        Raw::new("monitoring", "GetDashboard", 33).request(r#"{"dashboardName":"$W-overview"}"#),
        Raw::new("logs", "DescribeMetricFilters", 26).request(r#"{"logGroupName":"/app/$W"}"#),
        Raw::new("elasticloadbalancing", "DescribeLoadBalancers", 26).request(r#"{"pageSize":400}"#),
        Raw::new("rds", "DescribeDBInstances", 40).request(r#"{"dBInstanceIdentifier":"$W-db"}"#),
        Raw::new("rds", "DescribeDBEngineVersions", 14).request(r#"{"engine":"postgres","defaultOnly":true}"#),
        Raw::new("health", "DescribeEventAggregates", 40).request(r#"{"filter":{"eventStatusCodes":["open","upcoming"]},"aggregateField":"eventTypeCategory"}"#),
        Raw::new("cloudformation", "ListTypes", 23).request(r#"{"visibility":"PUBLIC","type":"RESOURCE"}"#),
        Raw::new("config", "DescribeConfigurationRecorders", 13),
        Raw::new("guardduty", "ListDetectors", 13).request(r#"{"maxResults":"50"}"#),
        bucket("GetBucketPolicyStatus", 36, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","policyStatus":""}"#),
        bucket("GetBucketPublicAccessBlock", 36, r#"{"publicAccessBlock":"","bucketName":"$B","Host":"$B.s3.$r.amazonaws.com"}"#),
        bucket("GetBucketVersioning", 16, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","versioning":""}"#),
        bucket("GetBucketPolicy", 13, r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","policy":""}"#)
            .fails(1_500, "NoSuchBucketPolicy", "The bucket policy does not exist"),
        Raw::new("s3", "ListBuckets", 30)
            .request(r#"{"Host":"s3.$r.amazonaws.com"}"#)
            .additional(S3_READ)
            .host("s3.$r.amazonaws.com"),
    ]
}

const HTTPS_RULE: &str = r#"{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0","description":"public web"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#;
const HTTPS_DONE: &str = r#"{"requestId":"$u","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"$a","groupId":"$g","securityGroupRuleId":"sgr-$x","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"0.0.0.0/0","description":"public web"}]}}"#;
const TRAIL: &str = r#"{"name":"arn:aws:cloudtrail:$r:$a:trail/org-trail","isMultiRegionTrail":true,"includeGlobalServiceEvents":true,"enableLogFileValidation":true}"#;
const TRAIL_DONE: &str = r#"{"name":"org-trail","s3BucketName":"$L","includeGlobalServiceEvents":true,"isMultiRegionTrail":true,"trailARN":"arn:aws:cloudtrail:$r:$a:trail/org-trail","logFileValidationEnabled":true,"kmsKeyId":"arn:aws:kms:$r:$a:key/$Y","isOrganizationTrail":false}"#;

/// Changes that a well-run company makes, look-alikes of attacks among them.
pub(crate) fn deployers() -> Vec<Raw> {
    let change = |source, name, weight| Raw::new(source, name, weight).writes();
    vec![
        change("ec2", "AuthorizeSecurityGroupIngress", 12).request(HTTPS_RULE).response(HTTPS_DONE),
        change("cloudtrail", "UpdateTrail", 5).request(TRAIL).response(TRAIL_DONE),
        change("ec2", "CreateTags", 30)
            .request(r#"{"resourcesSet":{"items":[{"resourceId":"$i"}]},"tagSet":{"items":[{"key":"Service","value":"$W"},{"key":"ManagedBy","value":"terraform"}]}}"#)
            .response(r#"{"requestId":"$u","_return":true}"#),
        change("iam", "CreateRole", 5)
            .request(r#"{"roleName":"$W-batch-$h","path":"/","description":"made by terraform","maxSessionDuration":3600,"assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}"}"#)
            .response(r#"{"role":{"path":"/","roleName":"$W-batch","roleId":"AROA$AQ","arn":"arn:aws:iam::$a:role/$W-batch","createDate":"$c"}}"#)
            .refused(500, "User: $U is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::$a:role/$W-batch because no permissions boundary allows the iam:CreateRole action"),
        change("iam", "AttachRolePolicy", 8)
            .request(r#"{"roleName":"$W-batch","policyArn":"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}"#),
        change("iam", "PutRolePolicy", 3)
            .request(r#"{"roleName":"$W-task","policyName":"read-own-bucket","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::$W-data-$X/*\"}]}"}"#),
        change("iam", "CreateUser", 1)
            .request(r#"{"userName":"svc-$W-sync","path":"/","tags":[{"key":"ManagedBy","value":"terraform"}]}"#)
            .response(r#"{"user":{"path":"/","userName":"svc-$W-sync","userId":"AIDA$AQ","arn":"arn:aws:iam::$a:user/svc-$W-sync","createDate":"$c"}}"#),
        change("s3", "PutBucketVersioning", 4)
            .request(r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","versioning":"","VersioningConfiguration":{"xmlns":"http://s3.amazonaws.com/doc/2006-03-01/","Status":"Enabled"}}"#)
            .additional(S3_READ)
            .resources(r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$B"}]"#),
        change("s3", "PutBucketEncryption", 3)
            .request(r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","encryption":"","ServerSideEncryptionConfiguration":{"Rule":{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms"}}}}"#)
            .additional(S3_READ),
        change("lambda", "UpdateFunctionCode20150331v2", 14)
            .request(r#"{"functionName":"$W-handler","s3Bucket":"$W-data-$X","s3Key":"releases/$h.zip","publish":true,"dryRun":false}"#)
            .response(r#"{"functionName":"$W-handler","functionArn":"arn:aws:lambda:$r:$a:function:$W-handler","runtime":"python3.13","handler":"app.handler","codeSize":$N,"timeout":30,"memorySize":512,"version":"$n","state":"Active"}"#),
        change("lambda", "AddPermission20150331v2", 3)
            .request(r#"{"functionName":"$W-handler","statementId":"from-events","action":"lambda:InvokeFunction","principal":"events.amazonaws.com","sourceArn":"arn:aws:events:$r:$a:rule/$W-nightly"}"#),
        change("ec2", "ModifySnapshotAttribute", 1)
            .request(r#"{"snapshotId":"snap-$x","attributeType":"CREATE_VOLUME_PERMISSION","createVolumePermission":{"remove":{"items":[{"group":"all"}]}}}"#)
            .response(r#"{"requestId":"$u","_return":true}"#),
        change("ecs", "UpdateService", 16)
            .request(r#"{"service":"$W","cluster":"main","taskDefinition":"$W:$n","desiredCount":4}"#)
            .response(r#"{"service":{"serviceArn":"arn:aws:ecs:$r:$a:service/main/$W","serviceName":"$W","status":"ACTIVE","desiredCount":4,"runningCount":4,"launchType":"FARGATE"}}"#),
        change("backup", "DeleteRecoveryPoint", 1)
            .by("backup.amazonaws.com")
            .request(r#"{"backupVaultName":"Default","recoveryPointArn":"arn:aws:ec2:$r::snapshot/snap-$x"}"#),
        change("kms", "CreateAlias", 1).request(r#"{"aliasName":"alias/$W","targetKeyId":"$Y"}"#).kind(Kind::Management),
    ]
}
