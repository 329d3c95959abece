//! Calls that look at something: a service and the names of its calls.

use super::decks::Deck;
use crate::synth::mix::Raw;

type Table = &'static [(&'static str, &'static str)];

const COMPUTE: Table = &[
    (
        "ec2",
        "DescribeInstances DescribeInstanceStatus DescribeVolumes DescribeImages DescribeSnapshots DescribeKeyPairs DescribeLaunchTemplates DescribeLaunchTemplateVersions DescribeInstanceTypes DescribePlacementGroups DescribeReservedInstances DescribeSpotPriceHistory DescribeRegions DescribeAvailabilityZones DescribeHosts DescribeCapacityReservations GetConsoleOutput GetLaunchTemplateData DescribeInstanceCreditSpecifications DescribeIamInstanceProfileAssociations",
    ),
    (
        "autoscaling",
        "DescribeAutoScalingGroups DescribeScalingActivities DescribePolicies DescribeLaunchConfigurations DescribeAutoScalingInstances",
    ),
    (
        "ssm",
        "DescribeInstanceInformation ListCommandInvocations ListCommands GetInventory DescribeSessions DescribePatchGroups DescribeInstancePatchStates",
    ),
    ("imagebuilder", "ListImagePipelines ListImages ListComponents"),
];
const NETWORK: Table = &[
    (
        "ec2",
        "DescribeVpcs DescribeSubnets DescribeRouteTables DescribeSecurityGroups DescribeSecurityGroupRules DescribeNetworkInterfaces DescribeNatGateways DescribeInternetGateways DescribeVpcEndpoints DescribeVpcPeeringConnections DescribeTransitGateways DescribeTransitGatewayAttachments DescribeNetworkAcls DescribeFlowLogs DescribePrefixLists DescribeAddresses DescribeVpnConnections DescribeCustomerGateways",
    ),
    (
        "elasticloadbalancing",
        "DescribeLoadBalancers DescribeTargetGroups DescribeTargetHealth DescribeListeners DescribeRules DescribeLoadBalancerAttributes",
    ),
    ("route53", "ListHostedZones ListResourceRecordSets GetHostedZone ListHealthChecks"),
    ("wafv2", "ListWebACLs GetWebACL ListIPSets GetSampledRequests"),
    ("cloudfront", "ListDistributions GetDistribution GetDistributionConfig ListInvalidations"),
    ("acm", "ListCertificates DescribeCertificate"),
];
const DATABASES: Table = &[
    (
        "rds",
        "DescribeDBInstances DescribeDBClusters DescribeDBSnapshots DescribeDBClusterSnapshots DescribeDBSubnetGroups DescribeDBParameterGroups DescribeDBLogFiles DownloadDBLogFilePortion DescribeEvents DescribePendingMaintenanceActions ListTagsForResource",
    ),
    (
        "dynamodb",
        "ListTables DescribeTable DescribeContinuousBackups DescribeTimeToLive ListBackups DescribeLimits",
    ),
    ("redshift", "DescribeClusters DescribeClusterSnapshots DescribeLoggingStatus"),
    ("elasticache", "DescribeCacheClusters DescribeReplicationGroups DescribeSnapshots"),
    ("es", "ListDomainNames DescribeElasticsearchDomains"),
    ("glue", "GetDatabases GetTables GetTable GetJobs GetJobRuns GetCrawlers GetPartitions"),
    ("athena", "ListWorkGroups GetQueryExecution GetQueryResults ListQueryExecutions StartQueryExecution"),
    ("kinesis", "ListStreams DescribeStreamSummary"),
];
const SERVERLESS: Table = &[
    (
        "lambda",
        "ListFunctions20150331 GetFunction20150331v2 GetFunctionConfiguration20150331v2 GetPolicy20150331v2 ListEventSourceMappings20150331 ListVersionsByFunction20150331 ListLayers20181031 ListAliases20150331",
    ),
    ("apigateway", "GetRestApis GetStages GetResources GetDomainNames"),
    ("states", "ListStateMachines DescribeStateMachine ListExecutions DescribeExecution GetExecutionHistory"),
    ("events", "ListRules ListTargetsByRule DescribeRule ListEventBuses"),
    ("sqs", "ListQueues GetQueueAttributes GetQueueUrl"),
    ("sns", "ListTopics ListSubscriptions GetTopicAttributes ListSubscriptionsByTopic"),
    ("scheduler", "ListSchedules GetSchedule"),
];
const CONTAINERS: Table = &[
    (
        "ecs",
        "ListClusters DescribeClusters ListServices DescribeServices ListTasks DescribeTasks DescribeTaskDefinition ListTaskDefinitions DescribeContainerInstances",
    ),
    (
        "ecr",
        "DescribeRepositories ListImages DescribeImages DescribeImageScanFindings GetLifecyclePolicy GetRepositoryPolicy",
    ),
    ("eks", "ListClusters DescribeCluster ListNodegroups DescribeNodegroup ListAddons DescribeAddon"),
    ("servicediscovery", "ListNamespaces ListServices ListInstances"),
];
const OBSERVING: Table = &[
    (
        "monitoring",
        "DescribeAlarms ListMetrics GetDashboard ListDashboards DescribeAlarmHistory DescribeAlarmsForMetric DescribeInsightRules",
    ),
    (
        "logs",
        "DescribeLogGroups DescribeLogStreams FilterLogEvents GetLogEvents StartQuery GetQueryResults DescribeMetricFilters DescribeSubscriptionFilters",
    ),
    ("xray", "GetTraceSummaries BatchGetTraces GetServiceGraph"),
    ("synthetics", "DescribeCanaries GetCanaryRuns"),
    ("health", "DescribeEvents DescribeEventAggregates DescribeAffectedEntities"),
];
const IDENTITY: Table = &[
    (
        "iam",
        "ListRoles ListPolicies GetRole GetPolicy GetPolicyVersion ListAttachedRolePolicies ListRolePolicies GetRolePolicy ListInstanceProfiles ListUsers GetUser ListGroupsForUser ListAccessKeys GetAccessKeyLastUsed ListMFADevices ListOpenIDConnectProviders ListSAMLProviders GetAccountSummary GenerateServiceLastAccessedDetails GetServiceLastAccessedDetails",
    ),
    (
        "sso",
        "ListInstances ListPermissionSets DescribePermissionSet ListAccountAssignments ListAccountsForProvisionedPermissionSet",
    ),
    ("identitystore", "ListUsers ListGroups ListGroupMemberships DescribeUser"),
    (
        "organizations",
        "ListAccounts DescribeOrganization ListRoots ListOrganizationalUnitsForParent ListPolicies DescribePolicy",
    ),
    ("access-analyzer", "ListAnalyzers ListFindings ListFindingsV2"),
];
const GUARDING: Table = &[
    (
        "guardduty",
        "ListDetectors GetDetector ListFindings GetFindings ListMembers ListFilters GetFindingsStatistics",
    ),
    (
        "securityhub",
        "GetFindings GetEnabledStandards DescribeHub DescribeStandardsControls GetInsightResults",
    ),
    ("inspector2", "ListFindings ListCoverage ListCoverageStatistics"),
    ("macie2", "GetMacieSession ListFindings GetFindings"),
    (
        "config",
        "DescribeConfigRules DescribeComplianceByConfigRule GetComplianceDetailsByConfigRule DescribeConfigurationRecorderStatus SelectResourceConfig GetResourceConfigHistory",
    ),
    (
        "cloudtrail",
        "LookupEvents DescribeTrails GetTrailStatus GetEventSelectors ListTrails ListEventDataStores",
    ),
    ("kms", "ListKeys ListAliases DescribeKey GetKeyPolicy GetKeyRotationStatus"),
    ("detective", "ListGraphs ListInvestigations"),
];
const COSTS: Table = &[
    (
        "ce",
        "GetCostAndUsage GetCostForecast GetDimensionValues GetTags GetReservationUtilization GetSavingsPlansUtilization GetAnomalies",
    ),
    ("budgets", "ViewBudget DescribeBudgets"),
    ("compute-optimizer", "GetEnrollmentStatus GetEC2InstanceRecommendations GetRecommendationSummaries"),
    ("pricing", "GetProducts DescribeServices"),
    ("cur", "DescribeReportDefinitions"),
    ("savingsplans", "DescribeSavingsPlans"),
];
const MODELS: Table = &[
    (
        "bedrock",
        "ListFoundationModels GetFoundationModel ListInferenceProfiles GetModelInvocationLoggingConfiguration ListGuardrails ListAgents ListKnowledgeBases",
    ),
    (
        "sagemaker",
        "ListTrainingJobs DescribeTrainingJob ListNotebookInstances ListEndpoints DescribeEndpoint ListModels ListExperiments ListDomains DescribeDomain",
    ),
];
const STACKS: Table = &[
    (
        "cloudformation",
        "ListStacks DescribeStacks DescribeStackEvents DescribeStackResources GetTemplate ListStackResources DescribeChangeSet ListChangeSets",
    ),
    ("codebuild", "ListProjects BatchGetProjects BatchGetBuilds ListBuildsForProject"),
    ("codepipeline", "ListPipelines GetPipelineState GetPipeline ListPipelineExecutions"),
    ("servicequotas", "ListServiceQuotas GetServiceQuota ListServices"),
    ("backup", "ListBackupPlans ListBackupJobs ListRecoveryPointsByBackupVault DescribeBackupVault"),
    ("secretsmanager", "ListSecrets DescribeSecret GetResourcePolicy"),
    ("tagging", "GetResources GetTagKeys"),
    ("support", "DescribeCases DescribeTrustedAdvisorChecks"),
];
const CONSOLE: Table = &[
    ("resource-explorer-2", "ListViews Search GetDefaultView"),
    ("health", "DescribeEventAggregates"),
    ("notifications", "ListNotificationEvents ListNotificationHubs"),
    ("ce", "GetCostAndUsage"),
    ("sso", "ListApplications"),
    ("ec2", "DescribeRegions DescribeAccountAttributes"),
    ("resource-groups", "ListGroups GetGroupQuery"),
    ("servicecatalog", "ListApplications"),
    ("trustedadvisor", "ListRecommendations"),
    ("application-insights", "ListApplications"),
    ("freetier", "GetFreeTierUsage"),
];
const REFRESH: Table = &[
    (
        "iam",
        "GetRole ListAttachedRolePolicies ListRolePolicies GetPolicy GetPolicyVersion ListInstanceProfilesForRole GetOpenIDConnectProvider",
    ),
    (
        "ec2",
        "DescribeVpcs DescribeSubnets DescribeSecurityGroups DescribeSecurityGroupRules DescribeRouteTables DescribeVpcAttribute DescribeInstances DescribeLaunchTemplates DescribeVpcEndpoints",
    ),
    (
        "lambda",
        "GetFunction20150331v2 GetPolicy20150331v2 ListVersionsByFunction20150331 GetFunctionCodeSigningConfig",
    ),
    ("ecs", "DescribeClusters DescribeServices DescribeTaskDefinition"),
    ("rds", "DescribeDBInstances DescribeDBSubnetGroups ListTagsForResource"),
    ("kms", "DescribeKey GetKeyPolicy GetKeyRotationStatus ListResourceTags"),
    ("logs", "DescribeLogGroups ListTagsForResource"),
    ("sns", "GetTopicAttributes ListTagsForResource"),
    ("sqs", "GetQueueAttributes ListQueueTags"),
    ("monitoring", "DescribeAlarms ListTagsForResource"),
    ("dynamodb", "DescribeTable DescribeContinuousBackups ListTagsOfResource"),
    ("route53", "GetHostedZone ListResourceRecordSets ListTagsForResource"),
    ("sts", "GetCallerIdentity"),
];
const VENDOR: Table = &[
    ("monitoring", "ListMetrics GetMetricData GetMetricStatistics DescribeAlarms"),
    ("ec2", "DescribeInstances DescribeVolumes DescribeRegions DescribeInstanceStatus"),
    ("elasticloadbalancing", "DescribeLoadBalancers DescribeTags DescribeTargetHealth"),
    ("rds", "DescribeDBInstances DescribeEvents"),
    ("lambda", "ListFunctions20150331 ListTags20170331"),
    ("tagging", "GetResources"),
    ("ecs", "ListClusters DescribeServices"),
    ("sqs", "ListQueues"),
    ("autoscaling", "DescribeAutoScalingGroups"),
];
const AGENTS: Table = &[
    ("ec2", "DescribeTags DescribeInstances DescribeVolumes"),
    ("autoscaling", "DescribeAutoScalingInstances"),
    ("ecr", "GetAuthorizationToken BatchGetImage"),
    ("elasticloadbalancing", "DescribeTargetHealth"),
];
const TASKS: Table = &[
    ("servicediscovery", "DiscoverInstances"),
    ("ecr", "GetAuthorizationToken BatchGetImage GetDownloadUrlForLayer"),
    ("dynamodb", "DescribeTable"),
    ("appconfig", "GetConfiguration GetLatestConfiguration"),
];
const ROLLOUT: Table = &[
    ("xray", "GetSamplingRules GetSamplingTargets"),
    ("appconfig", "StartConfigurationSession GetLatestConfiguration"),
    ("bedrock", "InvokeModel"),
    ("verifiedpermissions", "IsAuthorized"),
    ("cloudmap", "DiscoverInstances"),
    ("kinesis", "DescribeStreamSummary"),
    ("rds-data", "ExecuteStatement"),
    ("ssmmessages", "OpenDataChannel"),
    ("application-signals", "ListServiceLevelObjectives"),
    ("geo", "SearchPlaceIndexForText"),
    ("personalize", "GetRecommendations"),
    ("translate", "TranslateText"),
];

/// The looking calls of a deck; the first of them is regional.
pub(super) fn of(deck: Deck) -> Vec<Raw> {
    let table: Table = match deck {
        Deck::Compute => COMPUTE,
        Deck::Network => NETWORK,
        Deck::Databases => DATABASES,
        Deck::Serverless => SERVERLESS,
        Deck::Containers => CONTAINERS,
        Deck::Observing => OBSERVING,
        Deck::Identity => IDENTITY,
        Deck::Guarding => GUARDING,
        Deck::Costs => COSTS,
        Deck::Models => MODELS,
        Deck::Stacks => STACKS,
        Deck::Console => CONSOLE,
        Deck::Refresh => REFRESH,
        Deck::Vendor => VENDOR,
        Deck::Agents => AGENTS,
        Deck::Tasks => TASKS,
        Deck::Rollout => ROLLOUT,
        _ => &[],
    };
    let calls = table.iter().flat_map(|(source, names)| names.split(' ').map(|name| call(source, name)));
    calls.collect()
}

fn call(source: &'static str, name: &'static str) -> Raw {
    let raw = Raw::new(source, name, 30).request(match source {
        "iam" => r#"{"maxItems":100}"#,
        "rds" => r#"{"maxRecords":100}"#,
        "lambda" => r#"{"functionName":"$W-handler"}"#,
        "ecs" => r#"{"cluster":"main"}"#,
        "kms" => r#"{"keyId":"$Y"}"#,
        "logs" => r#"{"logGroupName":"/app/$W"}"#,
        "secretsmanager" => r#"{"secretId":"$W/db-$X"}"#,
        _ => r#"{"maxResults":100}"#,
    });
    match source {
        "ec2" => raw.fails(80, "Client.RequestLimitExceeded", "Request limit exceeded."),
        "ce" | "organizations" | "sso" | "guardduty" | "budgets" => raw.refused(
            150,
            "User: $U is not authorized to perform this operation because no identity-based policy allows it",
        ),
        _ => raw.fails(60, "ThrottlingException", "Rate exceeded"),
    }
}
