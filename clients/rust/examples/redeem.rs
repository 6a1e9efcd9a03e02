//! Redeems 25 rand from a card of the sandbox: `cargo run --example redeem [host:port]`.

use std::error::Error;

use giftcard_client::v1::card::Reference;
use giftcard_client::v1::{Card, CardNumber, RedeemRequest};
use giftcard_client::{Client, Money, new_transaction_id};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let client = Client::builder(target).plaintext().build()?;
    let number = CardNumber { pan: "6045000000000061".to_owned(), ..CardNumber::default() };
    let request = RedeemRequest {
        transaction_id: new_transaction_id(),
        card: Some(Card { reference: Some(Reference::Number(number)), ..Card::default() }),
        amount: Some(Money::parse("25.00", "ZAR")?),
        ..RedeemRequest::default()
    };
    println!("asking: {request:?}");
    let sold: Result<(), Box<dyn Error>> = client
        .holding(request, |transaction| async move {
            println!("{} is approved: hand over the goods", transaction.transaction_id);
            Ok(())
        })
        .await;
    sold?;
    println!("sold");
    Ok(())
}
