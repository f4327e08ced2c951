# NAT is a choice with a price; addresses and zones that cannot work are refused.

provider "aws" {
  region = "us-west-2"
}

variables {
  name     = "pangeo-test"
  vpc_cidr = "10.0.0.0/16"
  zones = {
    us-west-2a = { public_cidr = "10.0.0.0/20", private_cidr = "10.0.64.0/19" }
    us-west-2b = { public_cidr = "10.0.16.0/20", private_cidr = "10.0.96.0/19" }
  }
}

run "without_nat" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0
    error_message = "Without a choice there must be no NAT: it costs."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "Without a choice there must be no interface endpoint: each costs."
  }
}

run "one_nat" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    nat = "single"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 2
    error_message = "single: one gateway, and each private subnet leads to it."
  }
}

run "nat_in_each_zone" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    nat = "per_zone"
  }

  assert {
    condition     = toset(keys(aws_nat_gateway.this)) == toset(keys(var.zones))
    error_message = "per_zone: a gateway in each zone."
  }
}

run "refuses_a_zone_that_does_not_exist" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zones = {
      us-west-2a = { public_cidr = "10.0.0.0/20", private_cidr = "10.0.64.0/19" }
      us-west-2z = { public_cidr = "10.0.16.0/20", private_cidr = "10.0.96.0/19" }
    }
  }

  expect_failures = [aws_subnet.public]
}

run "refuses_wrong_values" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    nat                 = "double"
    vpc_cidr            = "10.0.0.1/16"
    interface_endpoints = ["lambda"]
  }

  expect_failures = [
    var.nat,
    var.vpc_cidr,
    var.interface_endpoints,
  ]
}

run "refuses_subnets_outside_the_vpc" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zones = {
      us-west-2a = { public_cidr = "10.0.0.0/20", private_cidr = "10.0.64.0/19" }
      us-west-2b = { public_cidr = "10.0.16.0/20", private_cidr = "10.1.0.0/19" }
    }
  }

  expect_failures = [
    var.zones,
  ]
}

run "refuses_one_zone" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zones = {
      us-west-2a = { public_cidr = "10.0.0.0/20", private_cidr = "10.0.64.0/19" }
    }
  }

  expect_failures = [
    var.zones,
  ]
}

run "refuses_overlapping_subnets" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zones = {
      us-west-2a = { public_cidr = "10.0.0.0/20", private_cidr = "10.0.64.0/19" }
      us-west-2b = { public_cidr = "10.0.16.0/20", private_cidr = "10.0.80.0/20" }
    }
  }

  expect_failures = [
    var.zones,
  ]
}
