using System.Net;
using System.Net.Sockets;

namespace DaprPlatform.Webhooks.Domain;

/// <summary>Which addresses are somebody else's on the internet, and not of this machine, its networks, or nobody.</summary>
internal static class AddressGuard
{
    // https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
    private static readonly IPNetwork[] Reserved4 =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        }.Select(IPNetwork.Parse),
    ];

    // Everything global begins with 001; these are inside of it and lead elsewhere: Teredo and its kin, documentation, 6to4.
    private static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");
    private static readonly IPNetwork[] Reserved6 = [IPNetwork.Parse("2001::/23"), IPNetwork.Parse("2001:db8::/32"), IPNetwork.Parse("2002::/16"), IPNetwork.Parse("3fff::/20")];

    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !Reserved4.Any(n => n.Contains(address)),
            AddressFamily.InterNetworkV6 => Global6.Contains(address) && !Reserved6.Any(n => n.Contains(address)),
            _ => false,
        };
    }

    /// <summary>Why this cannot be an address of a webhook, or null. What its name leads to is looked at when it is called.</summary>
    public static string? Objection(string text, bool allowPrivate)
    {
        if (text.Length > 2048 || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            return "must be an absolute URL of at most 2048 characters";
        if (url.UserInfo.Length > 0 || url.Fragment.Length > 0)
            return "must have neither a user nor a fragment";
        if (allowPrivate)
            return null;
        if (url.Scheme != "https")
            return "must begin with https://";
        if (IPAddress.TryParse(url.IdnHost.Trim('[', ']'), out var address))
            return IsPublic(address) ? null : "must not lead into a private network";
        var host = url.IdnHost.TrimEnd('.');
        return !host.Contains('.', StringComparison.Ordinal) || new[] { ".localhost", ".local", ".internal" }.Any(s => host.EndsWith(s, StringComparison.OrdinalIgnoreCase))
            ? "must not lead into a private network"
            : null;
    }
}

/// <summary>The name of an address leads where nothing may be asked.</summary>
internal sealed class ForbiddenAddressException(string host) : IOException($"{host} leads into a private network.");
