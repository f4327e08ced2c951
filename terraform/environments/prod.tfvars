# What people work on: survives the loss of a zone, keeps nodes off the internet.

environment = "prod"

vpc_cidr = "10.20.0.0/16"
zones = {
  us-west-2a = { public_cidr = "10.20.0.0/20", private_cidr = "10.20.64.0/19" }
  us-west-2b = { public_cidr = "10.20.16.0/20", private_cidr = "10.20.96.0/19" }
  us-west-2c = { public_cidr = "10.20.32.0/20", private_cidr = "10.20.128.0/19" }
}
nat = "single"

homes_backup = true
