output "homes_file_system_id" {
  description = "The file system that holds homes."
  value       = aws_efs_file_system.homes.id
}

output "scratch_bucket" {
  description = "The bucket for intermediate results."
  value       = aws_s3_bucket.this["scratch"].id
}

output "bills_bucket" {
  description = "The bucket that AWS writes the bill to."
  value       = aws_s3_bucket.this["bills"].id
}

output "bucket_arns" {
  description = "Both buckets' ARNs, by purpose."
  value       = { for purpose, bucket in aws_s3_bucket.this : purpose => bucket.arn }
}
