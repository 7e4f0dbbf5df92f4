-- stats.log_odds: log odds ratio of a 2 × 2 table with 0.5 added to each cell (Haldane), so that empty cells stay finite
-- paper: own
create or replace macro stats.log_odds(with_both, only_trigger, only_behavior, with_neither) as
    ln((with_both + 0.5) * (with_neither + 0.5) / ((only_trigger + 0.5) * (only_behavior + 0.5)));

-- tests
select stats.equals(stats.log_odds(10, 10, 10, 10), 0.0);
select stats.equals(round(stats.log_odds(821, 256, 299, 260928), 3), 7.934);
select stats.equals(stats.log_odds(null, 1, 1, 1), null);
