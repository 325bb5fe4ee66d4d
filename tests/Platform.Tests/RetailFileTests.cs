using System.Text;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Tests;

public sealed class RetailFileTests
{
    private const string Header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    [Fact]
    public void Every_line_is_either_part_of_an_order_or_reported_with_its_reason()
    {
        var file = Excerpt();
        var records = CsvRecords.Read(File.ReadAllBytes(ExcerptPath)).Skip(1).Select(r => r.Line).ToList();

        Assert.Equal(records, file.Lines.Select(l => l.Line).Concat(file.Problems.Select(p => p.Line)).Order());
        Assert.Equal(["above the limit", "no customer", "no price", "no quantity", "return", "unreadable"], file.Problems.Select(p => p.Reason).Distinct().Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom", "return")]
    [InlineData("536379,22111,BOWL,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom", "return")]
    [InlineData("C536379,22111,BOWL,1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom", "return")]
    [InlineData("536379,22111,BOWL,0,2010-12-01 09:41:00,27.5,14527.0,United Kingdom", "no quantity")]
    [InlineData("536379,22111,BOWL,1,2010-12-01 09:41:00,0.0,14527.0,United Kingdom", "no price")]
    [InlineData("536379,22111,BOWL,1,2010-12-01 09:41:00,-5,14527.0,United Kingdom", "no price")]
    [InlineData("536379,22111,BOWL,1,2010-12-01 09:41:00,0.001,14527.0,United Kingdom", "no price")]
    [InlineData("536379,22111,BOWL,1,2010-12-01 09:41:00,2.5,,United Kingdom", "no customer")]
    [InlineData("536379,22111,BOWL,1,2010-12-01 09:41:00,2.5,nobody,United Kingdom", "no customer")]
    [InlineData("536379,22111,BOWL,101,2010-12-01 09:41:00,2.5,14527.0,United Kingdom", "above the limit")]
    [InlineData("536379,22111,BOWL,2147483648,2010-12-01 09:41:00,2.5,14527.0,United Kingdom", "unreadable")]
    [InlineData("536379,22111,BOWL,1.5,2010-12-01 09:41:00,2.5,14527.0,United Kingdom", "unreadable")]
    [InlineData("536379,22111,BOWL,1,2010-12-01 09:41:00,1e3,14527.0,United Kingdom", "unreadable")]
    [InlineData("536379,,BOWL,1,2010-12-01 09:41:00,2.5,14527.0,United Kingdom", "unreadable")]
    [InlineData("536379,22111,BOWL,1", "unreadable")]
    [InlineData("536379,22111,BO\"WL,1,2010-12-01 09:41:00,2.5,14527.0,United Kingdom", "unreadable")]
    [InlineData("536379,22111,\"BOWL,1,2010-12-01 09:41:00,2.5,14527.0,United Kingdom", "unreadable")]
    public void A_line_that_cannot_be_ordered_says_why(string line, string reason)
    {
        var file = Parse(line);

        Assert.Empty(file.Lines);
        Assert.Equal((2, reason), file.Problems.Select(p => (p.Line, p.Reason)).Single());
    }

    [Fact]
    public void Bytes_that_are_not_utf8_spoil_only_their_own_line()
    {
        byte[] content =
        [
            .. Encoding.UTF8.GetBytes(Header),
            .. Encoding.Latin1.GetBytes("1,22111,CAFÉ BOWL,1,2010-12-01 09:41:00,2.5,1.0,France\n"),
            .. Encoding.UTF8.GetBytes("1,22112,CAFÉ BOWL,1,2010-12-01 09:41:00,2.5,1.0,France\n"),
        ];

        var file = RetailFile.Parse(content, "data.csv");

        Assert.Equal((2, "unreadable", "not UTF-8"), file.Problems.Select(p => (p.Line, p.Reason, p.Detail)).Single());
        Assert.Equal((3, "CAFÉ BOWL"), file.Lines.Select(l => (l.Line, l.Description)).Single());
    }

    [Fact]
    public void A_quoted_field_may_hold_separators_quotes_and_line_ends_and_a_name_is_one_line()
    {
        var file = Parse("1,22111,\"BOWL, \"\"TEA\"\"\nLARGE\",1,2010-12-01 09:41:00,2.5,1.0,France\r\n1,22112,CUP,1,2010-12-01 09:41:00,2.5,1.0,France\r\n\r\n");

        Assert.Empty(file.Problems);
        Assert.Equal([(2, "BOWL, \"TEA\" LARGE"), (4, "CUP")], file.Lines.Select(l => (l.Line, l.Description)));
    }

    [Fact]
    public void A_product_has_its_most_frequent_price_and_name_and_ties_are_settled_the_same_way_always()
    {
        var file = Parse(
            "1,22111a,BOWL,1,d,2.50,1.0,France",
            "1,22111A,BOWL,2,d,2.10,1.0,France",
            "1,22111A,bowl?,3,d,2.10,1.0,France",
            "2,22112,CUP,1,d,3.00,1.0,France",
            "2,22112,CUP,1,d,1.00,1.0,France",
            "3,22113,NEVER SOLD,-4,d,9.00,1.0,France");

        Assert.Equal([("22111A", "BOWL", 210L, 6L), ("22112", "CUP", 100L, 2L)], file.Products().Select(p => (p.Sku, p.Name, p.PriceMinor, p.Demand)));
    }

    [Fact]
    public void An_invoice_is_one_order_of_its_customer()
    {
        var file = Parse("1,A,X,1,d,1,7.0,UK", "2,A,X,1,d,1,8.0,UK", "1,B,X,2,d,1,7.0,UK");

        Assert.Equal([("1", "7", 2), ("2", "8", 1)], file.Invoices().Select(i => (i.Number, i.Customer, i.Lines.Count)));
    }

    [Fact]
    public void The_lines_of_a_product_count_together_against_the_limit_of_an_order()
    {
        var file = Parse("1,A,X,60,d,1,7.0,UK", "1,A,X,41,d,1,7.0,UK", "1,A,X,40,d,1,7.0,UK", "2,A,X,60,d,1,7.0,UK");

        Assert.Equal((3, "above the limit"), file.Problems.Select(p => (p.Line, p.Reason)).Single());
        Assert.Equal([2, 4, 5], file.Lines.Select(l => l.Line));
    }

    [Fact]
    public void Another_file_is_refused() =>
        Assert.Contains("InvoiceNo", Assert.Throws<CommandException>(() => RetailFile.Parse("a,b\n1,2\n"u8.ToArray(), "x.csv")).Message, StringComparison.Ordinal);

    [Fact]
    public void Percentiles_are_measured_values()
    {
        var sample = Enumerable.Range(1, 200).Select(i => (double)i).ToList();

        Assert.Equal(new Percentiles(200, 100, 190, 198, 200), Percentiles.Of(sample));
        Assert.Equal(new Percentiles(1, 7, 7, 7, 7), Percentiles.Of([7]));
        Assert.Equal(new Percentiles(0, 0, 0, 0, 0), Percentiles.Of([]));
    }

    [Fact]
    public void Line_ranges_hold_every_line() => Assert.Equal("3, 7-9, 40", LineRanges.Of([8, 3, 40, 7, 9, 9]));

    private static string ExcerptPath => Path.Combine(Repository.Find().Root, "tests", "data", "online-retail-excerpt.csv");

    private static RetailFile Excerpt() => RetailFile.Read(ExcerptPath);

    private static RetailFile Parse(params string[] lines) => RetailFile.Parse(Encoding.UTF8.GetBytes(Header + string.Join('\n', lines)), "data.csv");
}
