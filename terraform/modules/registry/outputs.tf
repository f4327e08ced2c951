output "user_repositories" {
  description = "Address of each user image's repository, by image."
  value       = { for image, repository in aws_ecr_repository.user : image => repository.repository_url }
}

output "user_repository_arns" {
  description = "ARNs of the user images' repositories."
  value       = [for repository in aws_ecr_repository.user : repository.arn]
}

output "binder_prefix" {
  description = "What BinderHub puts before the names of its images."
  value       = "${local.registry}/${aws_ecr_repository_creation_template.binder.prefix}/"
}

output "binder_repositories_arn" {
  description = "ARN pattern of the repositories that BinderHub's pushes make."
  value       = "${local.repositories}/binder/*"
}
