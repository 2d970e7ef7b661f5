//! Calculator.SquareRoot with tonic on one thread (tokio's current_thread runtime), every option at its default.
//!
//!     tonic 127.0.0.1:PORT
use tonic::{transport::Server, Request, Response, Status};

mod pb {
    // The proto has no package, and prost names the file of such messages "_".
    include!(concat!(env!("OUT_DIR"), "/_.rs"));
}

use pb::calculator_server::{Calculator, CalculatorServer};
use pb::Number;

struct Service;

#[tonic::async_trait]
impl Calculator for Service {
    async fn square_root(&self, request: Request<Number>) -> Result<Response<Number>, Status> {
        let value = request.into_inner().value;
        if value < 0.0 {
            return Err(Status::invalid_argument("value must not be negative"));
        }
        Ok(Response::new(Number { value: value.sqrt() }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: tonic ADDR:PORT")?.parse()?;
    Server::builder()
        .add_service(CalculatorServer::new(Service))
        .serve(address)
        .await?;
    Ok(())
}
