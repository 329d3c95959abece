//! What intruders do, call by call.

use super::script_more as more;
use super::{Attack, Script, Step, Who};
use crate::synth::cast::Part;

/// `additionalEventData` of a sign-in without a second factor.
pub(super) const SIGN_IN: &str =
    r#"{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"No"}"#;

/// What attackers' tools call themselves.
pub(super) const KALI: &str = "Boto3/1.28.85 md/Botocore#1.31.85 ua/2.0 os/linux#6.6.9-amd64-kali md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython Botocore/1.31.85 Pacu/1.6.0";
pub(super) const CLI: &str =
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.5.0-21-generic exe/x86_64.ubuntu.22 prompt/off command/misc";
pub(super) const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

impl Step {
    pub(super) const fn new(
        wait: i64,
        who: Who,
        source: &'static str,
        name: &'static str,
        technique: &'static str,
    ) -> Step {
        Step {
            wait,
            who,
            region: "",
            source,
            name,
            read_only: false,
            fault: None,
            request: "null",
            response: "null",
            resources: "",
            technique,
        }
    }

    pub(super) const fn reads(self) -> Step {
        Step { read_only: true, ..self }
    }

    pub(super) const fn region(self, region: &'static str) -> Step {
        Step { region, ..self }
    }

    pub(super) const fn request(self, request: &'static str) -> Step {
        Step { request, ..self }
    }

    pub(super) const fn response(self, response: &'static str) -> Step {
        Step { response, ..self }
    }

    pub(super) const fn resources(self, resources: &'static str) -> Step {
        Step { resources, ..self }
    }

    pub(super) const fn fails(self, code: &'static str, message: &'static str) -> Step {
        Step { fault: Some((code, message)), ..self }
    }
}

/// The script of an attack.
pub(super) fn of(attack: Attack) -> Script {
    let script = |lead, ip, agent, steps| Script { lead, ip, agent, steps };
    match attack {
        Attack::TrailTampering => script(Part::ServiceUser, "203.0.113.17", CLI, trail_tampering()),
        Attack::IamBackdoor => script(Part::ServiceUser, "203.0.113.44", CLI, iam_backdoor()),
        Attack::RootLoginNoMfa => script(Part::ServiceUser, "203.0.113.80", BROWSER, root_login()),
        Attack::SnapshotExfil => script(Part::Engineer, "", "", snapshot_exfil()),
        Attack::LeakedKey => script(Part::ServiceUser, "203.0.113.201", KALI, leaked_key()),
        Attack::GuarddutyOff => script(Part::ConsoleUser, "203.0.113.60", BROWSER, more::guardduty_off()),
        Attack::BackupRansom => script(Part::Deployer, "203.0.113.133", CLI, more::ransom()),
        Attack::WorldOpenGroup => script(Part::MfaUser, "", "", more::world_open()),
        Attack::LambdaBackdoor => script(Part::Engineer, "203.0.113.9", CLI, more::lambda_backdoor()),
        Attack::RoleTrustBackdoor => script(Part::Fleet, "203.0.113.150", CLI, more::role_trust()),
        Attack::DeniedEnumeration => script(Part::Function, "203.0.113.77", KALI, more::denied_enumeration()),
    }
}

fn assume(wait: i64) -> Step {
    Step::new(wait, Who::Lead, "sts", "AssumeRole", "T1078.004").reads()
}

fn trail_tampering() -> Vec<Step> {
    let step = |wait, name| Step::new(wait, Who::Chained, "cloudtrail", name, "T1562.008");
    vec![
        assume(10),
        step(14, "DescribeTrails").reads().request(r#"{"includeShadowTrails":true,"trailNameList":[]}"#),
        step(31, "PutEventSelectors")
            .request(r#"{"trailName":"org-trail","eventSelectors":[{"readWriteType":"ReadOnly","includeManagementEvents":false,"dataResources":[],"excludeManagementEventSources":[]}]}"#)
            .response(r#"{"trailARN":"arn:aws:cloudtrail:$r:$a:trail/org-trail","eventSelectors":[{"readWriteType":"ReadOnly","includeManagementEvents":false,"dataResources":[],"excludeManagementEventSources":[]}]}"#),
        step(22, "UpdateTrail")
            .request(r#"{"name":"org-trail","isMultiRegionTrail":false,"includeGlobalServiceEvents":false,"enableLogFileValidation":false}"#)
            .response(r#"{"name":"org-trail","s3BucketName":"$L","includeGlobalServiceEvents":false,"isMultiRegionTrail":false,"trailARN":"arn:aws:cloudtrail:$r:$a:trail/org-trail","logFileValidationEnabled":false,"isOrganizationTrail":false}"#),
        step(19, "StopLogging").request(r#"{"name":"org-trail"}"#),
    ]
}

fn iam_backdoor() -> Vec<Step> {
    let step = |wait, name, technique| Step::new(wait, Who::Lead, "iam", name, technique);
    vec![
        Step::new(4, Who::Lead, "sts", "GetCallerIdentity", "T1087.004").reads(),
        step(12, "ListUsers", "T1087.004").reads(),
        step(25, "CreateUser", "T1136.003")
            .request(r#"{"userName":"$2"}"#)
            .response(r#"{"user":{"path":"/","userName":"$2","userId":"$4","arn":"arn:aws:iam::$a:user/$2","createDate":"$c"}}"#),
        step(9, "CreateAccessKey", "T1098.001")
            .request(r#"{"userName":"$2"}"#)
            .response(r#"{"accessKey":{"userName":"$2","accessKeyId":"$3","status":"Active","createDate":"$c"}}"#),
        step(8, "AttachUserPolicy", "T1098.003")
            .request(r#"{"userName":"$2","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#),
        step(17, "CreateLoginProfile", "T1098.001")
            .request(r#"{"userName":"$2","passwordResetRequired":false}"#)
            .response(r#"{"loginProfile":{"userName":"$2","createDate":"$c","passwordResetRequired":false}}"#),
        Step::new(40, Who::Made, "sts", "GetCallerIdentity", "T1087.004").reads(),
        Step::new(15, Who::Made, "secretsmanager", "ListSecrets", "T1555.006").reads().request(r#"{"maxResults":100}"#),
    ]
}

fn root_login() -> Vec<Step> {
    vec![
        Step::new(5, Who::Root, "signin", "ConsoleLogin", "T1078.004")
            .response(r#"{"ConsoleLogin":"Success"}"#),
        Step::new(35, Who::Root, "iam", "GetAccountSummary", "T1087.004").reads(),
        Step::new(50, Who::Root, "iam", "CreateAccessKey", "T1098.001").response(
            r#"{"accessKey":{"userName":"root","accessKeyId":"$3","status":"Active","createDate":"$c"}}"#,
        ),
        Step::new(30, Who::Root, "iam", "DeactivateMFADevice", "T1556.006")
            .request(r#"{"serialNumber":"arn:aws:iam::$a:mfa/root-account-mfa-device","userName":"root"}"#),
    ]
}

fn snapshot_exfil() -> Vec<Step> {
    let step = |wait, name, technique| Step::new(wait, Who::Lead, "ec2", name, technique);
    vec![
        step(6, "DescribeSnapshots", "T1580")
            .reads()
            .request(r#"{"maxResults":1000,"snapshotSet":{},"ownersSet":{"items":[{"owner":"self"}]},"sharedUsersSet":{},"filterSet":{}}"#),
        step(33, "CreateSnapshot", "T1578.001")
            .request(r#"{"volumeId":"$l","description":"backup"}"#)
            .response(r#"{"requestId":"$u","snapshotId":"snap-0a1b2c3d4e5f60718","volumeId":"$l","status":"pending","startTime":$t,"progress":"","ownerId":"$a","volumeSize":"200","description":"backup","encrypted":false}"#),
        step(90, "ModifySnapshotAttribute", "T1537")
            .request(r#"{"snapshotId":"snap-0a1b2c3d4e5f60718","createVolumePermission":{"add":{"items":[{"userId":"$1"}]}},"attributeType":"CREATE_VOLUME_PERMISSION"}"#)
            .response(r#"{"requestId":"$u","_return":true}"#),
        Step::new(20, Who::Lead, "rds", "ModifyDBSnapshotAttribute", "T1537")
            .request(r#"{"dBSnapshotIdentifier":"$W-db-final","attributeName":"restore","valuesToAdd":["$1"]}"#)
            .response(r#"{"dBSnapshotIdentifier":"$W-db-final","dBSnapshotAttributes":[{"attributeName":"restore","attributeValues":["$1"]}]}"#),
    ]
}

const NO_POLICY: &str =
    "User: $U is not authorized to perform this operation because no identity-based policy allows it";

fn leaked_key() -> Vec<Step> {
    let look = |wait, source, name| Step::new(wait, Who::Lead, source, name, "T1580").reads();
    let refused = |wait, source, name| look(wait, source, name).fails("AccessDenied", NO_POLICY);
    let mut steps = vec![
        Step::new(3, Who::Lead, "sts", "GetCallerIdentity", "T1087.004").reads(),
        look(4, "s3", "ListBuckets").request(r#"{"Host":"s3.amazonaws.com"}"#),
        refused(2, "iam", "ListUsers"),
        refused(2, "iam", "ListRoles"),
        refused(3, "iam", "ListAttachedUserPolicies"),
        refused(2, "iam", "GetAccountAuthorizationDetails"),
        refused(2, "organizations", "DescribeOrganization"),
        refused(3, "ses", "GetSendQuota"),
        refused(2, "secretsmanager", "ListSecrets"),
    ];
    let machines = |wait, region: &'static str| {
        Step::new(wait, Who::Lead, "ec2", "RunInstances", "T1578.002").region(region).request(
            r#"{"instancesSet":{"items":[{"imageId":"ami-$x","minCount":8,"maxCount":8,"keyName":"k"}]},"instanceType":"g5.12xlarge","blockDeviceMapping":{},"monitoring":{"enabled":false},"disableApiTermination":true,"userData":"<sensitiveDataRemoved>","ebsOptimized":false}"#,
        )
    };
    steps.push(
        machines(24, "ap-east-1").fails(
            "Client.VcpuLimitExceeded",
            "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to.",
        ),
    );
    steps.push(machines(21, "af-south-1").response(
        r#"{"requestId":"$u","reservationId":"r-$x","ownerId":"$a","groupSet":{},"instancesSet":{"items":[{"instanceId":"i-$x","imageId":"ami-$x","instanceState":{"code":0,"name":"pending"},"instanceType":"g5.12xlarge","launchTime":$t,"placement":{"availabilityZone":"af-south-1a","tenancy":"default"},"monitoring":{"state":"disabled"},"subnetId":"subnet-$x","vpcId":"vpc-$x"}]}}"#,
    ));
    steps
}
