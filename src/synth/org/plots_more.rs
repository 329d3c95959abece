//! Planted scenarios that are chains: each step is somebody's daily work, and together they are not.

use super::plant::{Beat, Plot, Scenario, Who};
use super::plots::{BOTO, CLI, asks, lead};

/// The plot of a chain.
pub(super) fn of(scenario: Scenario) -> Plot {
    use Scenario::*;
    let plot = |leads, ip, agent, beats| Plot { leads, ip, agent, beats };
    match scenario {
        C1UserBackdoor => plot(&["sync", "deploy"], "203.0.113.201", CLI, user_backdoor()),
        C2KeyPivot => plot(&["deploy", "Platform"], "203.0.113.202", CLI, key_pivot()),
        C3RoleBackdoor => plot(&["Platform", "deploy"], "203.0.113.203", CLI, role_backdoor()),
        C4DeniedThenGranted => plot(&["deploy", "Developer"], "203.0.113.204", CLI, denied_then_granted()),
        C5PassedRole => plot(&["Developer", "Platform"], "203.0.113.205", CLI, passed_role()),
        C6UserData => plot(&["Operations", "Platform"], "203.0.113.206", CLI, user_data()),
        C7Snapshot => plot(&["Platform", "Developer"], "203.0.113.207", CLI, snapshot()),
        C8Blinded => plot(&["Platform", "deploy"], "203.0.113.208", CLI, blinded()),
        _ => plot(&["Platform", "deploy"], "203.0.113.209", BOTO, short_lived()),
    }
}

const MADE: &str = r#"{"user":{"path":"/","userName":"$2","userId":"$4","arn":"arn:aws:iam::$a:user/$2"}}"#;
const KEY: &str = r#"{"accessKey":{"userName":"$2","accessKeyId":"$3","status":"Active"}}"#;

fn user_backdoor() -> Vec<Beat> {
    vec![
        asks("sts", "GetCallerIdentity"),
        asks("iam", "ListUsers"),
        lead("iam", "CreateUser").request(r#"{"userName":"$2"}"#).response(MADE),
        lead("iam", "CreateAccessKey").request(r#"{"userName":"$2"}"#).response(KEY),
        lead("iam", "AttachUserPolicy")
            .request(r#"{"userName":"$2","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#),
        Beat::new(Who::Made, "sts", "GetCallerIdentity").reads(),
        Beat::new(Who::Made, "s3", "ListBuckets").reads(),
    ]
}

fn key_pivot() -> Vec<Beat> {
    vec![
        asks("iam", "ListUsers"),
        lead("iam", "CreateAccessKey")
            .request(r#"{"userName":"$5"}"#)
            .response(r#"{"accessKey":{"userName":"$5","accessKeyId":"$3","status":"Active"}}"#),
        Beat::new(Who::Other, "sts", "GetCallerIdentity").reads(),
        Beat::new(Who::Other, "s3", "ListBuckets").reads(),
        Beat::new(Who::Other, "s3", "GetObject")
            .reads()
            .data()
            .request(r#"{"bucketName":"$b","key":"$w/$n.parquet"}"#)
            .times(5),
        Beat::new(Who::Other, "iam", "ListUsers").reads(),
    ]
}

fn role_backdoor() -> Vec<Beat> {
    let trust = r#"{"roleName":"$6","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::$1:root\"},\"Action\":\"sts:AssumeRole\"}]}"}"#;
    vec![
        asks("iam", "ListRoles"),
        lead("iam", "UpdateAssumeRolePolicy").request(trust),
        lead("iam", "AttachRolePolicy")
            .request(r#"{"roleName":"$6","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#),
        Beat::new(Who::Foreign, "sts", "AssumeRole").reads(),
    ]
}

fn denied_then_granted() -> Vec<Beat> {
    let version = r#"{"policyArn":"arn:aws:iam::$a:policy/$w-read","setAsDefault":true,"policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"secretsmanager:*\",\"s3:*\"],\"Resource\":\"*\"}]}"}"#;
    let secret = asks("secretsmanager", "GetSecretValue").request(r#"{"secretId":"prod/payments"}"#);
    vec![
        asks("secretsmanager", "ListSecrets").denied(),
        secret.denied().times(2),
        asks("iam", "ListAttachedRolePolicies"),
        lead("iam", "CreatePolicyVersion").request(version),
        asks("secretsmanager", "ListSecrets"),
        secret.times(2),
    ]
}

fn passed_role() -> Vec<Beat> {
    let made = r#"{"functionName":"health-$h","functionArn":"arn:aws:lambda:$r:$a:function:health","role":"arn:aws:iam::$a:role/$6"}"#;
    vec![
        asks("iam", "ListRoles"),
        lead("lambda", "CreateFunction20150331").request(r#"{"functionName":"health-$h","runtime":"python3.13","role":"arn:aws:iam::$a:role/service-role/$6"}"#).response(made),
        lead("lambda", "Invoke").data().request(r#"{"functionName":"health"}"#),
        Beat::new(Who::Function, "secretsmanager", "GetSecretValue").reads().request(r#"{"secretId":"prod/$h"}"#).times(3),
        Beat::new(Who::Function, "iam", "CreateUser").request(r#"{"userName":"$2"}"#).response(MADE),
        Beat::new(Who::Function, "iam", "AttachUserPolicy").request(r#"{"userName":"$2","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#),
    ]
}

fn user_data() -> Vec<Beat> {
    vec![
        asks("ec2", "DescribeInstanceAttribute").request(r#"{"instanceId":"$i","attribute":"userData"}"#),
        lead("ec2", "StopInstances")
            .request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]},"force":false}"#),
        lead("ec2", "ModifyInstanceAttribute")
            .request(r#"{"instanceId":"$i","userData":"<sensitiveDataRemoved>"}"#),
        lead("ec2", "StartInstances").request(r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
    ]
}

fn snapshot() -> Vec<Beat> {
    vec![
        asks("ec2", "DescribeVolumes"),
        lead("ec2", "CreateSnapshot").request(r#"{"volumeId":"$l","description":"tmp"}"#).response(r#"{"snapshotId":"$7","volumeId":"$l","status":"pending"}"#),
        lead("ec2", "ModifySnapshotAttribute").request(r#"{"snapshotId":"$7","createVolumePermission":{"add":{"items":[{"userId":"$1"}]}},"attributeType":"CREATE_VOLUME_PERMISSION"}"#),
    ]
}

fn blinded() -> Vec<Beat> {
    vec![
        asks("cloudtrail", "DescribeTrails"),
        lead("cloudtrail", "StopLogging").request(r#"{"name":"org-trail"}"#),
        asks("iam", "ListUsers"),
        lead("iam", "CreateAccessKey").request(r#"{"userName":"$5"}"#).response(r#"{"accessKey":{"userName":"$5","accessKeyId":"$3","status":"Active"}}"#),
        lead("ec2", "ModifySnapshotAttribute").request(r#"{"snapshotId":"$7","createVolumePermission":{"add":{"items":[{"userId":"$1"}]}},"attributeType":"CREATE_VOLUME_PERMISSION"}"#),
        lead("cloudtrail", "StartLogging").request(r#"{"name":"org-trail"}"#),
    ]
}

fn short_lived() -> Vec<Beat> {
    vec![
        lead("iam", "CreateUser").request(r#"{"userName":"$2"}"#).response(MADE),
        lead("iam", "CreateAccessKey").request(r#"{"userName":"$2"}"#).response(KEY),
        lead("iam", "PutUserPolicy").request(r#"{"userName":"$2","policyName":"p","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}"}"#),
        Beat::new(Who::Made, "s3", "ListBuckets").reads(),
        Beat::new(Who::Made, "s3", "GetObject").reads().data().request(r#"{"bucketName":"$b","key":"$w/$n.parquet"}"#).times(10),
        lead("iam", "DeleteAccessKey").request(r#"{"userName":"$2","accessKeyId":"$3"}"#),
        lead("iam", "DeleteUserPolicy").request(r#"{"userName":"$2","policyName":"p"}"#),
        lead("iam", "DeleteUser").request(r#"{"userName":"$2"}"#),
    ]
}
