"""Which AWS service a resource type belongs to, as a bill would name it in short."""

# The longest prefix of the type's name (without `aws_`) wins.
SERVICES = {
    "bcmdataexports": "Data Exports",
    "budgets": "Budgets",
    "ce": "Cost Explorer",
    "cloudwatch_event": "EventBridge",
    "cloudwatch_log": "CloudWatch Logs",
    "default": "VPC",
    "ebs": "EC2",
    "ec2": "EC2",
    "ecr": "ECR",
    "efs": "EFS",
    "eip": "VPC",
    "eks": "EKS",
    "iam": "IAM",
    "internet_gateway": "VPC",
    "kms": "KMS",
    "launch_template": "EC2",
    "nat_gateway": "VPC",
    "route": "VPC",
    "s3": "S3",
    "secretsmanager": "Secrets Manager",
    "security_group": "VPC",
    "sns": "SNS",
    "sqs": "SQS",
    "subnet": "VPC",
    "vpc": "VPC",
}


def service(resource_type: str) -> str:
    """Return the service of a type such as `aws_efs_mount_target`; `other` for an unlisted one."""
    name = resource_type.removeprefix("aws_")
    found = [prefix for prefix in SERVICES if name.startswith(prefix)]
    return SERVICES[max(found, key=len)] if found else "other"
