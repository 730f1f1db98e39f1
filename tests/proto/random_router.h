// Random routers: any message that a file could say, sensible or not.
//
// By reflection, so that a new field is covered without a word here.
#ifndef UPLINKD_TESTS_PROTO_RANDOM_ROUTER_H_
#define UPLINKD_TESTS_PROTO_RANDOM_ROUTER_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

#include "uplinkd/v1/spec.pb.h"

namespace uplinkd::testing {

class RandomRouter {
 public:
  explicit RandomRouter(unsigned seed) : random_(seed) {}

  v1::Router Next() {
    v1::Router router;
    Fill(router);
    router.set_api_version("uplinkd/v1");
    router.set_kind("Router");
    return router;
  }

 private:
  using Field = google::protobuf::FieldDescriptor;

  std::uint64_t Pick(std::uint64_t count) { return random_() % count; }

  // Words that a writer may get wrong: what YAML takes for something else,
  // quotes, breaks, characters of two, three and four bytes, control codes.
  std::string Text() {
    static const std::array<std::string, 30> texts = {"wan1",
                                                      "null",
                                                      "~",
                                                      "",
                                                      "true",
                                                      "No",
                                                      "y",
                                                      "1",
                                                      "0x10",
                                                      "1e3",
                                                      "- a",
                                                      "a: b",
                                                      "a:",
                                                      ":a",
                                                      "#a",
                                                      "a #b",
                                                      "'",
                                                      "\"\\",
                                                      "\n",
                                                      "a\nb\n",
                                                      "\t",
                                                      " a ",
                                                      "\xc3\xa9",
                                                      "\xe2\x82\xac",
                                                      "\xf0\x9f\x98\x80",
                                                      std::string("\0", 1),
                                                      "\x1b[0m\x7f",
                                                      "192.0.2.0/24",
                                                      "2001:db8::/32",
                                                      "12:30:45"};
    std::string text = texts[Pick(texts.size())];
    if (Pick(4) == 0) text += texts[Pick(texts.size())];
    return text;
  }

  std::uint64_t Number(std::uint64_t max) {
    switch (Pick(4)) {
      case 0: return max;
      case 1: return Pick(300);
      default: return random_() & max;
    }
  }

  void FillDuration(google::protobuf::Duration& duration) {
    constexpr std::uint64_t kMaxSeconds = 9'000'000'000;
    duration.set_seconds(
        static_cast<std::int64_t>(Pick(2) == 0 ? Pick(4) : Pick(kMaxSeconds)));
    const std::uint64_t nanos =
        Pick(2) == 0 ? Pick(1'000) * 1'000'000 : Pick(1'000'000'000);
    duration.set_nanos(static_cast<std::int32_t>(nanos));
  }

  void Fill(google::protobuf::Message& message) {
    if (message.GetDescriptor() == google::protobuf::Duration::descriptor()) {
      return FillDuration(static_cast<google::protobuf::Duration&>(message));
    }
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const Field& field = *message.GetDescriptor()->field(i);
      std::uint64_t count = Pick(2);
      if (field.is_repeated()) count = Pick(4);
      for (; count > 0; --count) FillField(message, field);
    }
  }

  void FillField(google::protobuf::Message& message, const Field& field) {
    const google::protobuf::Reflection& to = *message.GetReflection();
    const bool list = field.is_repeated();
    switch (field.cpp_type()) {
      case Field::CPPTYPE_MESSAGE:
        return Fill(list ? *to.AddMessage(&message, &field)
                         : *to.MutableMessage(&message, &field));
      case Field::CPPTYPE_STRING:
        return list ? to.AddString(&message, &field, Text())
                    : to.SetString(&message, &field, Text());
      case Field::CPPTYPE_ENUM: {
        const int count = field.enum_type()->value_count();
        const auto* value = field.enum_type()->value(
            static_cast<int>(1 + Pick(static_cast<std::uint64_t>(count) - 1)));
        return list ? to.AddEnum(&message, &field, value)
                    : to.SetEnum(&message, &field, value);
      }
      case Field::CPPTYPE_UINT32: {
        const auto number = static_cast<std::uint32_t>(
            Number(std::numeric_limits<std::uint32_t>::max()));
        return list ? to.AddUInt32(&message, &field, number)
                    : to.SetUInt32(&message, &field, number);
      }
      case Field::CPPTYPE_UINT64: {
        const std::uint64_t number =
            Number(std::numeric_limits<std::uint64_t>::max());
        return list ? to.AddUInt64(&message, &field, number)
                    : to.SetUInt64(&message, &field, number);
      }
      case Field::CPPTYPE_BOOL:
        return list ? to.AddBool(&message, &field, true)
                    : to.SetBool(&message, &field, true);
      default: std::abort();  // a kind that the reader cannot read either
    }
  }

  std::mt19937_64 random_;
};

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_PROTO_RANDOM_ROUTER_H_
