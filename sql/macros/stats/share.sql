-- stats.share: part of a whole; null where there is no whole
-- paper: own
create or replace macro stats.share(part_count, whole_count) as
    part_count / nullif(whole_count, 0);

-- tests
select stats.equals(stats.share(1, 4), 0.25);
select stats.equals(stats.share(0, 0), null);
select stats.equals(stats.share(null, 4), null);
