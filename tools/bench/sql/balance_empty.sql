-- balance_empty: takes the balances of the limit away.
truncate plain.balance
