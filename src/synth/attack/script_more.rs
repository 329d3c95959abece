//! What intruders do, continued.

use super::{Step, Who};

pub(super) fn guardduty_off() -> Vec<Step> {
    const DETECTOR: &str = r#"{"detectorId":"12abc34d567e8fa901bc2d34e56789f0"}"#;
    let step = |wait, source, name| Step::new(wait, Who::Lead, source, name, "T1562.001");
    vec![
        step(25, "guardduty", "ListDetectors").reads().request(r#"{"maxResults":"50"}"#),
        step(40, "guardduty", "UpdateDetector")
            .request(r#"{"detectorId":"12abc34d567e8fa901bc2d34e56789f0","enable":false}"#),
        step(35, "guardduty", "DeleteDetector").request(DETECTOR),
        step(50, "config", "StopConfigurationRecorder").request(r#"{"configurationRecorderName":"default"}"#),
        step(30, "ec2", "DeleteFlowLogs")
            .request(r#"{"DeleteFlowLogsRequest":{"FlowLogId":{"tag":1,"content":"fl-$x"}}}"#)
            .response(r#"{"DeleteFlowLogsResponse":{"xmlns":"http://ec2.amazonaws.com/doc/2016-11-15/","unsuccessful":"","requestId":"$u"}}"#),
    ]
}

pub(super) fn ransom() -> Vec<Step> {
    let step = |wait, source, name, technique| Step::new(wait, Who::Lead, source, name, technique);
    let mut steps = vec![
        step(5, "backup", "ListRecoveryPointsByBackupVault", "T1580").reads().request(r#"{"backupVaultName":"Default"}"#),
        step(14, "s3", "PutBucketVersioning", "T1490")
            .request(r#"{"bucketName":"$B","Host":"$B.s3.$r.amazonaws.com","versioning":"","VersioningConfiguration":{"xmlns":"http://s3.amazonaws.com/doc/2006-03-01/","Status":"Suspended"}}"#)
            .resources(r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$B"}]"#),
    ];
    for _ in 0..3 {
        steps.push(step(9, "backup", "DeleteRecoveryPoint", "T1490").request(
            r#"{"backupVaultName":"Default","recoveryPointArn":"arn:aws:ec2:$r::snapshot/snap-$x"}"#,
        ));
    }
    steps.extend([
        step(12, "backup", "DeleteBackupVault", "T1490").request(r#"{"backupVaultName":"Default"}"#),
        step(18, "rds", "DeleteDBSnapshot", "T1490")
            .request(r#"{"dBSnapshotIdentifier":"$W-db-final"}"#)
            .response(r#"{"dBSnapshotIdentifier":"$W-db-final","status":"deleted","engine":"postgres","snapshotType":"manual"}"#),
        step(22, "kms", "ScheduleKeyDeletion", "T1485")
            .request(r#"{"keyId":"arn:aws:kms:$r:$a:key/$Y","pendingWindowInDays":7}"#)
            .response(r#"{"keyId":"arn:aws:kms:$r:$a:key/$Y","keyState":"PendingDeletion","pendingWindowInDays":7}"#)
            .resources(r#"[{"accountId":"$a","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$r:$a:key/$Y"}]"#),
    ]);
    steps
}

pub(super) fn world_open() -> Vec<Step> {
    let rule = |wait| Step::new(wait, Who::Lead, "ec2", "AuthorizeSecurityGroupIngress", "T1562.007");
    vec![
        rule(30)
            .request(r#"{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#)
            .response(r#"{"requestId":"$u","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"$a","groupId":"$g","securityGroupRuleId":"sgr-$x","isEgress":false,"ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIpv4":"0.0.0.0/0"}]}}"#),
        rule(41)
            .request(r#"{"groupId":"$g","cidrIp":"0.0.0.0/0","fromPort":3389,"toPort":3389,"ipProtocol":"tcp","ipPermissions":{}}"#)
            .response(r#"{"requestId":"$u","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"$a","groupId":"$g","securityGroupRuleId":"sgr-$x","isEgress":false,"ipProtocol":"tcp","fromPort":3389,"toPort":3389,"cidrIpv4":"0.0.0.0/0"}]}}"#),
    ]
}

pub(super) fn lambda_backdoor() -> Vec<Step> {
    let step = |wait, name, technique| Step::new(wait, Who::Lead, "lambda", name, technique);
    vec![
        step(20, "GetFunction20150331v2", "T1526").reads().request(r#"{"functionName":"$W-handler"}"#),
        step(55, "UpdateFunctionCode20150331v2", "T1525")
            .request(r#"{"functionName":"$W-handler","publish":false,"dryRun":false}"#)
            .response(r#"{"functionName":"$W-handler","functionArn":"arn:aws:lambda:$r:$a:function:$W-handler","runtime":"python3.13","handler":"app.handler","codeSize":$N,"timeout":30,"memorySize":512,"version":"$$LATEST","state":"Active"}"#),
        step(28, "AddPermission20150331v2", "T1546")
            .request(r#"{"functionName":"$W-handler","statementId":"s1","action":"lambda:InvokeFunction","principal":"*"}"#)
            .response(r#"{"statement":"{\"Sid\":\"s1\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:aws:lambda:$r:$a:function:$W-handler\"}"}"#),
        step(31, "CreateFunctionUrlConfig", "T1133")
            .request(r#"{"functionName":"$W-handler","authType":"NONE"}"#)
            .response(r#"{"functionUrl":"https://$H.lambda-url.$r.on.aws/","functionArn":"arn:aws:lambda:$r:$a:function:$W-handler","authType":"NONE"}"#),
    ]
}

pub(super) fn role_trust() -> Vec<Step> {
    let step = |wait, name, technique| Step::new(wait, Who::Lead, "iam", name, technique);
    vec![
        Step::new(15, Who::Lead, "sts", "GetCallerIdentity", "T1087.004").reads(),
        step(20, "ListRoles", "T1087.004").reads(),
        step(44, "UpdateAssumeRolePolicy", "T1098.003")
            .request(r#"{"roleName":"$W-batch","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::$1:root\"},\"Action\":\"sts:AssumeRole\"}]}"}"#),
        step(26, "AttachRolePolicy", "T1098.003")
            .request(r#"{"roleName":"$W-batch","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#),
    ]
}

/// Every call is refused, as it is to someone who tries what a stolen session can do.
pub(super) fn denied_enumeration() -> Vec<Step> {
    const TRIED: [(&str, &str); 14] = [
        ("iam", "ListUsers"),
        ("iam", "ListRoles"),
        ("iam", "GetAccountSummary"),
        ("iam", "ListAccessKeys"),
        ("s3", "ListBuckets"),
        ("rds", "DescribeDBInstances"),
        ("lambda", "ListFunctions20150331"),
        ("secretsmanager", "ListSecrets"),
        ("ssm", "DescribeParameters"),
        ("kms", "ListKeys"),
        ("dynamodb", "ListTables"),
        ("ecr", "DescribeRepositories"),
        ("sns", "ListTopics"),
        ("iam", "CreateUser"),
    ];
    let tried = TRIED.iter().enumerate().map(|(i, (source, name))| {
        let step = Step::new(1 + i as i64 % 4, Who::Lead, source, name, "T1580");
        let step = if *name == "CreateUser" { step } else { step.reads() };
        step.fails(
            "AccessDenied",
            "User: $U is not authorized to perform this operation because no identity-based policy allows it",
        )
    });
    tried.collect()
}
