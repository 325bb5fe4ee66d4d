using System.Diagnostics;
using System.Globalization;
using System.Runtime.Serialization;
using System.Xml;

namespace Dapr.Actors.Communication;

/// <summary>An exception of an actor's method on its way to the caller.</summary>
internal static class RemoteException
{
    private static readonly DataContractSerializer Serializer = new(typeof(Data));

    public static string Describe(Exception failure, Guid id)
    {
        var frame = new StackTrace(failure, fNeedFileInfo: true).GetFrame(0);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Exception: {failure.GetType().Name}, Method Name: {frame?.GetMethod()?.Name}, Line Number: {frame?.GetFileLineNumber() ?? 0}, Exception uuid: {id}");
    }

    public static byte[] Write(Exception failure) =>
        RemoteBodyTypes.Write(Serializer, new Data { Message = failure.Message, Type = failure.GetType().FullName ?? failure.GetType().Name });

    public static ActorMethodInvocationException Read(string errorHeader, byte[] body)
    {
        string type = string.Empty, message = string.Empty;
        if (body.Length > 0)
        {
            try
            {
                using var reader = XmlDictionaryReader.CreateBinaryReader(body, XmlDictionaryReaderQuotas.Max);
                while (reader.Read())
                {
                    if (reader.NodeType != XmlNodeType.Element || reader.IsEmptyElement)
                        continue;
                    if (reader.LocalName == nameof(Data.Type))
                        type = reader.ReadString();
                    else if (reader.LocalName == nameof(Data.Message))
                        message = reader.ReadString();
                }
            }
            catch (XmlException)
            {
                message = "The actor threw an exception that could not be read.";
            }
        }

        return new ActorMethodInvocationException(
            $"Remote Actor Method Exception,  DETAILS: {RemoteHeaders.ReadError(errorHeader)}",
            new ActorInvokeException(type, message),
            isTransient: false);
    }

    [DataContract(Name = "ActorInvokeExceptionData", Namespace = RemoteBodyTypes.Namespace)]
    private sealed class Data
    {
        [DataMember(Name = nameof(Message))]
        public string Message { get; set; } = string.Empty;

        [DataMember(Name = nameof(Type))]
        public string Type { get; set; } = string.Empty;
    }
}
