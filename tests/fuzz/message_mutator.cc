#include "tests/fuzz/message_mutator.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// libFuzzer's own mutations, of bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size,
                                        std::size_t max_size);

namespace uplinkd::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A field of one of the messages inside a message, set or not.
struct Place {
  Message* message;
  const FieldDescriptor* field;
};

class Mutator {
 public:
  explicit Mutator(std::mt19937& random) : random_(random) {}

  void Run(Message& message) {
    Collect(message);
    const Place place = places_.at(Below(places_.size()));
    if (place.field->is_repeated()) {
      MutateList(*place.message, *place.field);
    } else {
      MutateField(*place.message, *place.field);
    }
  }

 private:
  std::size_t Below(std::size_t bound) { return random_() % bound; }

  // Every place, and every text that is there: names refer to each other.
  void Collect(Message& message) {
    const Reflection& reflection = *message.GetReflection();
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message.GetDescriptor()->field(i);
      places_.push_back({&message, &field});
      const bool list = field.is_repeated();
      const int count =
          list ? reflection.FieldSize(message, &field)
               : (field.has_presence() && !reflection.HasField(message, &field)
                      ? 0
                      : 1);
      for (int n = 0; n < count; ++n) CollectValue(message, field, n);
    }
  }

  void CollectValue(Message& message, const FieldDescriptor& field, int index) {
    const Reflection& reflection = *message.GetReflection();
    const bool list = field.is_repeated();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Collect(list ? *reflection.MutableRepeatedMessage(&message, &field, index)
                   : *reflection.MutableMessage(&message, &field));
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      texts_.push_back(
          list ? reflection.GetRepeatedString(message, &field, index)
               : reflection.GetString(message, &field));
    }
  }

  void MutateList(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    const auto any = [&] {
      return static_cast<int>(Below(static_cast<std::size_t>(size)));
    };
    const std::size_t dice = size == 0 ? 0 : Below(4);
    if (dice == 1) {
      reflection.SwapElements(&message, &field, any(), size - 1);
      reflection.RemoveLast(&message, &field);
    } else if (dice == 2) {
      reflection.SwapElements(&message, &field, any(), any());
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const int from = dice == 0 ? -1 : any();
      Message& added = *reflection.AddMessage(&message, &field);
      if (from >= 0) {
        added.CopyFrom(reflection.GetRepeatedMessage(message, &field, from));
      }
    } else {
      AddValue(message, field);
    }
  }

  void AddValue(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.AddString(&message, &field, Text(""));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.AddUInt32(&message, &field,
                                    static_cast<std::uint32_t>(Number(0)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.AddUInt64(&message, &field, Number(0));
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.AddEnumValue(&message, &field, EnumValue(field));
      default: return;  // no list of ours has another kind
    }
  }

  void MutateField(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    if (Below(8) == 0) return reflection.ClearField(&message, &field);
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        reflection.MutableMessage(&message, &field);
        return;
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.SetString(
            &message, &field, Text(reflection.GetString(message, &field)));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.SetBool(&message, &field, Below(2) == 0);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.SetEnumValue(&message, &field, EnumValue(field));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.SetUInt32(
            &message, &field,
            static_cast<std::uint32_t>(
                Number(reflection.GetUInt32(message, &field))));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.SetUInt64(
            &message, &field, Number(reflection.GetUInt64(message, &field)));
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetInt32(
            &message, &field,
            static_cast<std::int32_t>(Number(static_cast<std::uint64_t>(
                reflection.GetInt32(message, &field)))));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.SetInt64(
            &message, &field,
            static_cast<std::int64_t>(Number(static_cast<std::uint64_t>(
                reflection.GetInt64(message, &field)))));
      default: return;  // no message of ours has another kind
    }
  }

  // One of the words of the enumeration, seldom one that it does not have.
  int EnumValue(const FieldDescriptor& field) {
    const int count = field.enum_type()->value_count();
    return static_cast<int>(Below(static_cast<std::size_t>(count) + 1));
  }

  std::uint64_t Number(std::uint64_t now) {
    switch (Below(7)) {
      case 0: return now + 1;
      case 1: return now - 1;
      case 2: return std::uint64_t{1} << Below(64);
      case 3: return ~std::uint64_t{0} >> Below(64);
      case 4: return 1'000'000 * Below(1000);
      case 5: return random_();
      default: return Below(300);
    }
  }

  std::string Text(const std::string& now) {
    static const std::array<std::string, 14> texts = {"wan1",
                                                      "lan0",
                                                      "198.51.100.2",
                                                      "198.51.100.0/24",
                                                      "2001:db8::1",
                                                      "fe80::1",
                                                      "2001:db8::/48",
                                                      "0.0.0.0/0",
                                                      "example.net",
                                                      "http://192.0.2.7/health",
                                                      "192.0.2.7:443",
                                                      "ef",
                                                      "02:00:00:00:00:01",
                                                      "1000-1010"};
    switch (Below(4)) {
      case 0: return texts.at(Below(texts.size()));
      case 1:
        if (!texts_.empty()) return texts_[Below(texts_.size())];
        break;
      default: break;
    }
    constexpr std::size_t kMost = 64;
    std::string text = now.substr(0, kMost);
    const std::size_t size = text.size();
    text.resize(kMost);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()),
                                 size, kMost));
    // gRPC lets in nothing but UTF-8.
    for (char& c : text) c = static_cast<char>(c & 0x7f);
    return text;
  }

  std::mt19937& random_;
  std::vector<Place> places_;
  std::vector<std::string> texts_;
};

}  // namespace

void MutateMessage(Message& message, std::mt19937& random) {
  Mutator(random).Run(message);
}

}  // namespace uplinkd::testing
