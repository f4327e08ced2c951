# To try a change on: as small and cheap as the hub can be.

environment = "staging"

vpc_cidr = "10.10.0.0/16"
zones = {
  us-west-2a = { public_cidr = "10.10.0.0/20", private_cidr = "10.10.64.0/19" }
  us-west-2b = { public_cidr = "10.10.16.0/20", private_cidr = "10.10.96.0/19" }
}
nat = "none"

homes_zone          = "us-west-2a"
bills_are_removable = true
