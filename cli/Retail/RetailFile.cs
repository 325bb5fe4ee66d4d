using System.Globalization;
using System.Text.RegularExpressions;

namespace DaprPlatform.Cli.Retail;

/// <summary>A line of the data that can be part of an order. The price is in minor units.</summary>
internal sealed record RetailLine(int Line, string Invoice, string Sku, string Description, int Quantity, long PriceMinor, string Customer);

/// <summary>A line that cannot be part of an order, and why.</summary>
internal sealed record RetailProblem(int Line, string Invoice, string Reason, string Detail);

/// <summary>An order to place: the lines of one invoice.</summary>
internal sealed record RetailInvoice(string Number, string Customer, IReadOnlyList<RetailLine> Lines);

/// <summary>A product of the catalogue: its most frequent price and name, and how much of it the file sells.</summary>
internal sealed record RetailProduct(string Sku, string Name, long PriceMinor, long Demand);

/// <summary>The UCI Online Retail data (InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country) as products and orders.</summary>
internal sealed partial class RetailFile
{
    public const int LargestQuantity = 100;

    private static readonly string[] Header = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];
    private readonly List<RetailLine> _lines = [];
    private readonly List<RetailProblem> _problems = [];
    private readonly Dictionary<string, ProductEvidence> _evidence = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Invoice, string Customer, string Sku), int> _ordered = [];

    private RetailFile()
    {
    }

    public IReadOnlyList<RetailLine> Lines => _lines;

    /// <summary>Every line that is not in <see cref="Lines"/>, in the order of the file.</summary>
    public IReadOnlyList<RetailProblem> Problems => _problems;

    /// <exception cref="CommandException">There is no such file, or its columns are others.</exception>
    public static RetailFile Read(string path)
    {
        if (!File.Exists(path))
            throw new CommandException($"There is no file {path}.");
        return Parse(File.ReadAllBytes(path), Path.GetFileName(path));
    }

    internal static RetailFile Parse(byte[] content, string name)
    {
        var file = new RetailFile();
        var first = true;
        foreach (var record in CsvRecords.Read(content))
        {
            if (first && !record.Fields.SequenceEqual(Header))
                throw new CommandException($"{name} is not the Online Retail data: its first line must be {string.Join(',', Header)}.");
            if (!first)
                file.Add(record);
            first = false;
        }

        if (first)
            throw new CommandException($"{name} is empty.");
        return file;
    }

    /// <summary>The invoices in the order of the file.</summary>
    public IReadOnlyList<RetailInvoice> Invoices() =>
        [.. _lines.GroupBy(l => (l.Invoice, l.Customer)).Select(g => new RetailInvoice(g.Key.Invoice, g.Key.Customer, [.. g]))];

    /// <summary>Every product with a price, ordered by SKU.</summary>
    public IReadOnlyList<RetailProduct> Products() =>
        [.. _evidence.Where(e => e.Value.Prices.Count > 0).OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => e.Value.ToProduct(e.Key))];

    private void Add(CsvRecord record)
    {
        if (record.Problem is { } broken)
        {
            Refuse(record, "unreadable", broken);
            return;
        }

        if (record.Fields.Count != Header.Length)
        {
            Refuse(record, "unreadable", $"{record.Fields.Count} columns instead of {Header.Length}");
            return;
        }

        // The same product is written 85123A and 85123a.
        var (invoice, sku, description, customer) = (record.Fields[0].Trim(), record.Fields[1].Trim().ToUpperInvariant(), Spaces().Replace(record.Fields[2], " ").Trim(), Customer(record.Fields[6]));
        if (!int.TryParse(record.Fields[3], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var quantity))
        {
            Refuse(record, "unreadable", $"the quantity '{record.Fields[3]}' is not a whole number");
            return;
        }

        if (!decimal.TryParse(record.Fields[5], NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var price) || price > 1_000_000_000m)
        {
            Refuse(record, "unreadable", $"the price '{record.Fields[5]}' is not an amount");
            return;
        }

        if (invoice.Length == 0 || sku.Length == 0)
        {
            Refuse(record, "unreadable", invoice.Length == 0 ? "no invoice number" : "no stock code");
            return;
        }

        var minor = (long)decimal.Round(price * 100m, 0, MidpointRounding.AwayFromZero);
        var evidence = Evidence(sku);
        if (description.Length > 0)
            evidence.Count(evidence.Names, description);
        if (minor > 0 && quantity > 0)
            evidence.Count(evidence.Prices, minor);

        if (invoice.StartsWith('C') || quantity < 0)
            Refuse(record, "return", $"quantity {quantity}{(invoice.StartsWith('C') ? ", a cancelled invoice" : "")}");
        else if (quantity == 0)
            Refuse(record, "no quantity", "quantity 0");
        else if (minor <= 0)
            Refuse(record, "no price", $"unit price {record.Fields[5]}");
        else if (customer is null)
            Refuse(record, "no customer", $"customer '{record.Fields[6]}'");
        else if (quantity > LargestQuantity)
            Refuse(record, "above the limit", $"quantity {quantity}, an order holds at most {LargestQuantity} of a product");
        else if (_ordered.GetValueOrDefault((invoice, customer, sku)) is > 0 and var before && before + quantity > LargestQuantity)
            Refuse(record, "above the limit", $"quantity {quantity} after {before} on earlier lines of the invoice, an order holds at most {LargestQuantity} of a product");
        else
            Accept(new RetailLine(record.Line, invoice, sku, description, quantity, minor, customer));
    }

    private void Accept(RetailLine line)
    {
        Evidence(line.Sku).Demand += line.Quantity;
        var key = (line.Invoice, line.Customer, line.Sku);
        _ordered[key] = _ordered.GetValueOrDefault(key) + line.Quantity;
        _lines.Add(line);
    }

    private void Refuse(CsvRecord record, string reason, string detail) =>
        _problems.Add(new RetailProblem(record.Line, record.Fields.Count > 0 ? record.Fields[0].Trim() : "", reason, detail));

    // 17850.0: the ids went through a spreadsheet.
    private static string? Customer(string text) =>
        decimal.TryParse(text.Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var id) && id > 0 && id == decimal.Truncate(id)
            ? ((long)id).ToString(CultureInfo.InvariantCulture)
            : null;

    private ProductEvidence Evidence(string sku)
    {
        if (!_evidence.TryGetValue(sku, out var evidence))
            _evidence[sku] = evidence = new ProductEvidence();
        return evidence;
    }

    // A name is one line, however the field was broken.
    [GeneratedRegex(@"[\s\p{C}]+")]
    private static partial Regex Spaces();

    private sealed class ProductEvidence
    {
        public Dictionary<string, int> Names { get; } = new(StringComparer.Ordinal);

        public Dictionary<long, int> Prices { get; } = [];

        public long Demand { get; set; }

        public void Count<T>(Dictionary<T, int> counts, T value) where T : notnull => counts[value] = counts.GetValueOrDefault(value) + 1;

        // Ties go to the lower price and the first name in the alphabet: the same file gives the same catalogue.
        public RetailProduct ToProduct(string sku) => new(
            sku,
            Names.OrderByDescending(n => n.Value).ThenBy(n => n.Key, StringComparer.Ordinal).Select(n => n.Key).FirstOrDefault(sku),
            Prices.OrderByDescending(p => p.Value).ThenBy(p => p.Key).First().Key,
            Demand);
    }
}
