// Reads a balance: that the stubs compile, link and speak is what it shows.
#include <grpcpp/grpcpp.h>

#include <iostream>

#include "giftcard/v1/gift_card_service.grpc.pb.h"

int main(int count, char** words) {
  if (count != 3) {
    std::cerr << "balance HOST:PORT CARD" << std::endl;
    return 2;
  }
  auto channel = grpc::CreateChannel(words[1], grpc::InsecureChannelCredentials());
  auto stub = giftcard::v1::GiftCardService::NewStub(channel);
  grpc::ClientContext context;
  giftcard::v1::BalanceRequest request;
  request.mutable_card()->mutable_number()->set_pan(words[2]);
  giftcard::v1::BalanceResponse response;
  auto status = stub->Balance(&context, request, &response);
  if (!status.ok()) {
    std::cerr << status.error_code() << " " << status.error_message() << std::endl;
    return 1;
  }
  auto& available = response.card_balance().balances().available();
  std::cout << available.units() << " " << available.currency_code() << std::endl;
}
