# Who in the cluster may do what in AWS: one role for each Kubernetes service account that needs one,
# through EKS Pod Identity. A pod of another service account gets nothing, and no node lends its role.

locals {
  partition = data.aws_partition.current.partition

  workloads = {
    alertmanager = { namespace = var.support_namespace, service_account = "alertmanager", policy = data.aws_iam_policy_document.alertmanager.json }
    binder       = { namespace = var.hub_namespace, service_account = "binderhub", policy = data.aws_iam_policy_document.binder.json }
    cost-reader  = { namespace = var.support_namespace, service_account = "cost-reader", policy = data.aws_iam_policy_document.cost_reader.json }
    dask         = { namespace = var.hub_namespace, service_account = "dask", policy = data.aws_iam_policy_document.dask.json }
    notebook     = { namespace = var.hub_namespace, service_account = "notebook", policy = data.aws_iam_policy_document.notebook.json }
  }

  # AWS's own add-ons, with AWS's own policies for them.
  addons = {
    aws-ebs-csi-driver = { service_account = "ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
    aws-efs-csi-driver = { service_account = "efs-csi-controller-sa", policy = "service-role/AmazonEFSCSIDriverPolicy" }
    vpc-cni            = { service_account = "aws-node", policy = "AmazonEKS_CNI_Policy" }
  }

  accounts = merge(
    { for name, workload in local.workloads : name => { namespace = workload.namespace, service_account = workload.service_account } },
    { for name, addon in local.addons : name => { namespace = "kube-system", service_account = addon.service_account } },
  )
}

data "aws_partition" "current" {}

# The tags are EKS's word on which pod asks; no pod can choose them.
data "aws_iam_policy_document" "trust" {
  for_each = local.accounts

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks-cluster-name"
      values   = [var.name]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [each.value.namespace]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [each.value.service_account]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.accounts

  name                 = "${var.name}-${each.key}"
  description          = "${each.value.namespace}/${each.value.service_account} in ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "workload" {
  for_each = local.workloads

  name   = each.key
  role   = aws_iam_role.this[each.key].name
  policy = each.value.policy
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each = local.addons

  role       = aws_iam_role.this[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.value.policy}"
}

# Add-ons bring their own association, so that it exists before their pods.
resource "aws_eks_pod_identity_association" "workload" {
  for_each = local.workloads

  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.this[each.key].arn
}
