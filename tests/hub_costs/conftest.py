import pytest

from hub_costs.bills import sample_bill, sample_forms
from hub_costs.months import Month


@pytest.fixture(scope="session")
def sample():
    """A short leap month with few users: small enough to write in every form."""
    return sample_bill.sample(Month(2024, 2), users=5, seed=7)


@pytest.fixture(scope="session")
def session_file(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("sessions") / "sessions.csv"
    sample.sessions.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def split_bill(sample, tmp_path_factory):
    """The table of the sample's bill with split cost allocation."""
    from hub_costs.bills.ingest import ingest

    folder = tmp_path_factory.mktemp("split")
    sample_forms.cur_parquet(sample.lines + sample.splits, folder / "cur.parquet")
    return ingest([folder / "cur.parquet"], folder / "out").table


@pytest.fixture(scope="session")
def plain_bill(sample, tmp_path_factory):
    """The table of the sample's bill without splits."""
    from hub_costs.bills.ingest import ingest

    folder = tmp_path_factory.mktemp("plain")
    sample_forms.cur_parquet(sample.lines, folder / "cur.parquet")
    return ingest([folder / "cur.parquet"], folder / "out").table
