// Table: columns that line up, for people.
#ifndef UPLINKD_CLI_TABLE_H_
#define UPLINKD_CLI_TABLE_H_

#include <string>
#include <vector>

#include "cli/screen.h"

namespace uplinkd {

struct Cell {
  std::string text;
  Color color = Color::kNone;
};

class Table {
 public:
  explicit Table(std::vector<std::string> header);

  // As many cells as the header has.
  void AddRow(std::vector<Cell> row);
  // A line of text under the last row, across all columns.
  void AddNote(const std::string& note, Color color = Color::kNone);

  void Print(const Screen& screen) const;

 private:
  struct Row {
    std::vector<Cell> cells;
    std::vector<Cell> notes;
  };
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

// "38.2 Mbit/s" of bytes per second; in the units of capacities.
std::string HumanRate(double bytes_per_second);
// "1.2 GB"; a kB is 1000 bytes.
std::string HumanBytes(double bytes);
// "80 %" of 0.8.
std::string HumanShare(double share);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_TABLE_H_
