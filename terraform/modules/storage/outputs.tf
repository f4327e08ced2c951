output "homes_file_system_id" {
  description = "The file system that holds homes."
  value       = aws_efs_file_system.homes.id
}

output "homes_volume" {
  description = "What a PersistentVolume of homes names: the file system and its access point."
  value       = "${aws_efs_file_system.homes.id}::${aws_efs_access_point.homes.id}"
}

output "scratch_bucket" {
  description = "The bucket for intermediate results."
  value       = aws_s3_bucket.this["scratch"].id
}

output "bills_bucket" {
  description = "The bucket that AWS writes the bill to."
  value       = aws_s3_bucket.this["bills"].id

  # AWS looks whether it may write there when an export is made.
  depends_on = [aws_s3_bucket_policy.this]
}

output "bucket_arns" {
  description = "Both buckets' ARNs, by purpose."
  value       = { for purpose, bucket in aws_s3_bucket.this : purpose => bucket.arn }
}
