module disparo/contract

go 1.26
