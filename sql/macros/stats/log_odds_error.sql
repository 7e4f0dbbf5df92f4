-- stats.log_odds_error: standard error of stats.log_odds of the same table
-- paper: own (Woolf 1955)
create or replace macro stats.log_odds_error(with_both, only_trigger, only_behavior, with_neither) as
    sqrt(1 / (with_both + 0.5) + 1 / (only_trigger + 0.5) + 1 / (only_behavior + 0.5) + 1 / (with_neither + 0.5));

-- tests
select stats.equals(round(stats.log_odds_error(10, 10, 10, 10), 6), 0.617213);
select stats.equals(round(stats.log_odds_error(0, 0, 0, 0), 6), 2.828427);
select stats.equals(stats.log_odds_error(null, 1, 1, 1), null);
