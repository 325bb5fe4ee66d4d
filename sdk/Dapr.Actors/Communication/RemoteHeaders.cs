using System.Globalization;
using System.Security;
using System.Text;
using System.Xml;

namespace Dapr.Actors.Communication;

/// <summary>The headers that make a request a call through an interface, and an answer an exception: data contracts in XML.</summary>
internal static class RemoteHeaders
{
    public const string Request = "X-DaprRequestHeader";
    public const string Error = "X-DaprErrorResponseHeader";

    private const string Serialization = "http://schemas.microsoft.com/2003/10/Serialization/";
    private const string Arrays = Serialization + "Arrays";
    private const string Instance = "http://www.w3.org/2001/XMLSchema-instance";
    private const string Contracts = "http://schemas.datacontract.org/2004/07/Dapr.Actors";

    public static string WriteRequest(RemoteMethod method, ActorId actorId, string actorType)
    {
        var text = new StringBuilder(640)
            .Append("<z:anyType i:type=\"a:ActorHeader\" xmlns:z=\"").Append(Serialization)
            .Append("\" xmlns:i=\"").Append(Instance)
            .Append("\" xmlns:a=\"").Append(RemoteBodyTypes.Namespace)
            .Append(CultureInfo.InvariantCulture, $"\"><a:MethodId>{method.MethodId}</a:MethodId><a:InterfaceId>{method.InterfaceId}</a:InterfaceId>")
            .Append("<a:ActorId xmlns:b=\"").Append(Contracts).Append("\"><b:ActorId>");
        AppendText(text, actorId.GetId());
        text.Append("</b:ActorId></a:ActorId><a:CallContext>").Append(Guid.NewGuid().ToString())
            .Append("</a:CallContext><a:Headers xmlns:b=\"").Append(Arrays).Append("\"/><a:MethodName>");
        AppendText(text, method.Name);
        text.Append("</a:MethodName><a:ActorType>");
        AppendText(text, actorType);
        return text.Append("</a:ActorType></z:anyType>").ToString();
    }

    public static int? ReadInterfaceId(string header) =>
        int.TryParse(Find(header, "InterfaceId"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id) ? id : null;

    public static string WriteError(string description)
    {
        var text = new StringBuilder(640)
            .Append("<z:anyType i:type=\"a:ActorResponseMessageHeaders\" xmlns:z=\"").Append(Serialization)
            .Append("\" xmlns:i=\"").Append(Instance)
            .Append("\" xmlns:a=\"").Append(RemoteBodyTypes.Namespace)
            .Append("\"><a:Headers xmlns:b=\"").Append(Arrays).Append("\">");
        AppendHeader(text, "HasRemoteException", []);
        AppendHeader(text, "RemoteMethodException", Encoding.UTF8.GetBytes(description));
        return text.Append("</a:Headers></z:anyType>").ToString();
    }

    /// <summary>What an error header says; empty if it says nothing.</summary>
    public static string ReadError(string header)
    {
        try
        {
            using var reader = XmlReader.Create(new StringReader(header));
            var isDescription = false;
            while (reader.Read())
            {
                if (reader.NodeType != XmlNodeType.Element || reader.IsEmptyElement)
                    continue;
                if (reader.LocalName == "Key")
                    isDescription = reader.ReadString() == "RemoteMethodException";
                else if (isDescription && reader.LocalName == "Value")
                    return Encoding.UTF8.GetString(Convert.FromBase64String(reader.ReadString()));
            }
        }
        catch (Exception malformed) when (malformed is XmlException or FormatException)
        {
            // The body still tells what was thrown.
        }

        return string.Empty;
    }

    private static string? Find(string header, string element)
    {
        try
        {
            using var reader = XmlReader.Create(new StringReader(header));
            while (reader.Read())
            {
                if (reader.NodeType == XmlNodeType.Element && reader.LocalName == element)
                    return reader.ReadString();
            }
        }
        catch (XmlException)
        {
        }

        return null;
    }

    private static void AppendHeader(StringBuilder text, string key, byte[] value) => text
        .Append("<b:KeyValueOfstringbase64Binary><b:Key>").Append(key).Append("</b:Key><b:Value>")
        .Append(Convert.ToBase64String(value)).Append("</b:Value></b:KeyValueOfstringbase64Binary>");

    // A header holds ASCII only.
    private static void AppendText(StringBuilder text, string value)
    {
        foreach (var rune in SecurityElement.Escape(value).EnumerateRunes())
        {
            if (rune.IsAscii && rune.Value >= ' ')
                text.Append((char)rune.Value);
            else
                text.Append(CultureInfo.InvariantCulture, $"&#x{rune.Value:X};");
        }
    }
}
