#include "proto/field_order.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <vector>

#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// One number per step of the path: the field's place in its message, then the
// index in a list.
std::vector<int> OrderOf(std::string_view path) {
  std::vector<int> order;
  const Descriptor* message = v1::Router::descriptor();
  while (!path.empty()) {
    const std::string_view step = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), step.size() + 1));
    const std::size_t bracket = step.find('[');
    const FieldDescriptor* field =
        message == nullptr ? nullptr
                           : message->FindFieldByCamelcaseName(
                                 std::string(step.substr(0, bracket)));
    order.push_back(field == nullptr ? std::numeric_limits<int>::max()
                                     : field->index());
    if (bracket != std::string_view::npos) {
      int index = 0;
      std::from_chars(step.data() + bracket + 1, step.data() + step.size(),
                      index);
      order.push_back(index);
    }
    message = field == nullptr ? nullptr : field->message_type();
  }
  return order;
}

}  // namespace

bool FieldOrderLess(std::string_view a, std::string_view b) {
  return OrderOf(a) < OrderOf(b);
}

}  // namespace uplinkd
